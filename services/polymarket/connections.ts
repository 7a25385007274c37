import type { LiveConnection } from '../integrity/liveness.ts'
import type { HandoverReport } from '../venue/handover.ts'
import type { ConnectionStatus } from '../venue/port.ts'
import { PolymarketConnection, type PolymarketConnectionOptions, type Subscription } from './connection.ts'
import { renewShard, type ShardRenewalOptions } from './recycle.ts'

export interface PolymarketConnectionsOptions
  extends Omit<PolymarketConnectionOptions, 'name' | 'generation' | 'isLive' | 'isAnnouncer'> {
  assetsPerConnection: number
}

/**
 * All connections to the market channel: spreads the assets over them, so that none has more than the venue serves.
 * One of them also asks for the venue-wide announcements; on all, each would come as many times.
 */
export class PolymarketConnections {
  private readonly options: PolymarketConnectionsOptions
  private readonly connections: PolymarketConnection[] = []
  private readonly homes = new Map<string, PolymarketConnection>()
  private readonly closing = new Set<Promise<void>>()
  private announcer: PolymarketConnection | null = null
  private created = 0

  constructor(options: PolymarketConnectionsOptions) {
    this.options = options
  }

  /** Subscribes assets, on connections with room first. */
  add(added: readonly Subscription[]): void {
    let rest = added.filter(({ assetId }) => !this.homes.has(assetId))
    while (rest.length > 0) {
      const { connection, isNew } = this.withRoom()
      const room = this.options.assetsPerConnection - connection.size
      const some = rest.slice(0, room)
      for (const { assetId } of some) this.homes.set(assetId, connection)
      connection.add(some)
      if (isNew) connection.start()
      rest = rest.slice(room)
    }
  }

  /** Unsubscribes an asset; a connection that has none left is closed. */
  remove(assetId: string): void {
    const connection = this.homes.get(assetId)
    if (connection === undefined) return
    this.homes.delete(assetId)
    connection.remove(assetId)
    if (connection.size === 0) this.close(connection)
  }

  /** Asks the stream for a fresh snapshot, unless one is already waited for. */
  resubscribe(assetId: string): void {
    const connection = this.homes.get(assetId)
    if (connection?.isWaiting(assetId) === false) connection.resubscribe(assetId)
  }

  /** Subscribes an asset on another connection than it is on, on a new one if there is no other with room. */
  move(assetId: string): void {
    const from = this.homes.get(assetId)
    const slot = from?.slotOf(assetId)
    if (from === undefined || slot === undefined) return
    const { connection, isNew } = this.withRoom(from)
    this.homes.set(assetId, connection)
    from.remove(assetId)
    connection.add([{ assetId, slot }])
    if (isNew) connection.start()
    if (from.size === 0) this.close(from)
  }

  /** Cuts a connecting and dials again; one that is over already is left alone. */
  drop(key: string, reason: string): void {
    this.connections.find((connection) => keyOf(connection) === key)?.drop(reason)
  }

  /** The connections that are open now. */
  live(): LiveConnection[] {
    const open = this.connections.filter(({ isOpen }) => isOpen)
    return open.map((connection) => ({
      key: keyOf(connection),
      messages: connection.messages,
      slots: () => connection.slots()
    }))
  }

  /** Since when an asset's connection is open, and its name; null while it is not. */
  openingOf(assetId: string): { name: string; sinceMs: number } | null {
    const status = this.homes.get(assetId)?.status()
    if (status === undefined || status.connectedAtMs === null) return null
    return { name: status.name, sinceMs: status.connectedAtMs }
  }

  /** Names the connecting that an asset is streamed by; null while it is not. */
  streamOf(assetId: string): string | null {
    const connection = this.homes.get(assetId)
    return connection === undefined || connection.era === 0 ? null : keyOf(connection)
  }

  tick(): void {
    for (const connection of this.connections) connection.tick()
  }

  status(): ConnectionStatus[] {
    return this.connections.map((connection) => connection.status())
  }

  async stop(): Promise<void> {
    this.homes.clear()
    for (const connection of this.connections.splice(0)) this.release(connection)
    await Promise.all(this.closing)
  }

  /** Renews every connection, one after the other; yields how each went, with its name. */
  async *renew(
    options: Pick<
      ShardRenewalOptions,
      'complementOf' | 'onTrade' | 'signal' | 'reads' | 'fillTimeoutMs' | 'readTimeoutMs'
    >
  ): AsyncGenerator<HandoverReport & { name: string }> {
    for (const old of [...this.connections]) {
      const { books, table, onOverdue, steadyNow } = this.options
      const { name } = old.status()
      const isCurrent = () => this.connections.includes(old)
      if (!isCurrent()) continue
      const report = await renewShard({
        ...options,
        books,
        table,
        old,
        createConnection: (shadowBooks, shadowTable) =>
          this.create(
            name,
            { books: shadowBooks, table: shadowTable, isLive: false, onOverdue: () => {} },
            old.generation + 1
          ),
        isCurrent,
        onOverdue,
        onSwapped: (connection, unfilled) => this.replace(old, connection, unfilled),
        steadyNow
      })
      yield { ...report, name }
    }
  }

  private replace(
    old: PolymarketConnection,
    connection: PolymarketConnection,
    unfilled: readonly string[]
  ): void {
    this.connections[this.connections.indexOf(old)] = connection
    for (const { assetId } of connection.subscriptions()) this.homes.set(assetId, connection)
    if (this.announcer === old) {
      this.announcer = connection
      connection.announce()
    }
    for (const assetId of unfilled) connection.resubscribe(assetId)
  }

  private create(
    name: string,
    kept: Partial<Pick<PolymarketConnectionOptions, 'books' | 'table' | 'isLive' | 'onOverdue'>> = {},
    generation = 0
  ): PolymarketConnection {
    const connection: PolymarketConnection = new PolymarketConnection({
      ...this.options,
      isLive: true,
      ...kept,
      name,
      generation,
      isAnnouncer: () => this.announcer === connection
    })
    return connection
  }

  private withRoom(except?: PolymarketConnection): { connection: PolymarketConnection; isNew: boolean } {
    const { assetsPerConnection } = this.options
    const known = this.connections.find((one) => one !== except && one.size < assetsPerConnection)
    if (known !== undefined) return { connection: known, isNew: false }
    const connection = this.create(`polymarket-${++this.created}`)
    this.connections.push(connection)
    this.announcer ??= connection
    return { connection, isNew: true }
  }

  private close(connection: PolymarketConnection): void {
    this.connections.splice(this.connections.indexOf(connection), 1)
    if (this.announcer === connection) {
      this.announcer = this.connections[0] ?? null
      this.announcer?.announce()
    }
    this.release(connection)
  }

  private release(connection: PolymarketConnection): void {
    const closed: Promise<void> = connection.stop().finally(() => this.closing.delete(closed))
    this.closing.add(closed)
  }
}

/** Another one after each reconnect. */
function keyOf(connection: PolymarketConnection): string {
  return `${connection.status().name}/${connection.generation}/${connection.era}`
}
