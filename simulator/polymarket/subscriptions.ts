import type { SimMarket } from '../model/types.ts'
import type { Connection } from './connection.ts'

/** Which connections follow which token. */
export class Subscriptions {
  readonly #byToken = new Map<string, Set<Connection>>()

  add(connection: Connection, tokenId: string): void {
    connection.assets.add(tokenId)
    const followers = this.#byToken.get(tokenId)
    if (followers === undefined) this.#byToken.set(tokenId, new Set([connection]))
    else followers.add(connection)
  }

  remove(connection: Connection, tokenId: string): void {
    connection.assets.delete(tokenId)
    const followers = this.#byToken.get(tokenId)
    followers?.delete(connection)
    if (followers?.size === 0) this.#byToken.delete(tokenId)
  }

  removeAll(connection: Connection): void {
    for (const tokenId of [...connection.assets]) this.remove(connection, tokenId)
  }

  /** Returns the followers of one token. */
  ofToken(tokenId: string): Iterable<Connection> {
    return this.#byToken.get(tokenId) ?? []
  }

  /** Returns each follower of either token of a market once: book changes name both tokens. */
  ofMarket(market: SimMarket): Connection[] {
    const first = this.#byToken.get(market.tokens[0])
    const second = this.#byToken.get(market.tokens[1])
    if (first === undefined) return second === undefined ? [] : [...second]
    if (second === undefined) return [...first]
    return [...new Set([...first, ...second])]
  }
}
