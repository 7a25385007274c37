import type { ConnectionStatus } from '../venue/port.ts'
import { PolymarketConnection, type PolymarketConnectionOptions, type Subscription } from './connection.ts'

export interface PolymarketConnectionsOptions
  extends Omit<PolymarketConnectionOptions, 'name' | 'isAnnouncer'> {
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

  /** Names the connecting that an asset is streamed by; null while it is not. */
  streamOf(assetId: string): string | null {
    const connection = this.homes.get(assetId)
    return connection === undefined || connection.era === 0
      ? null
      : `${connection.status().name}/${connection.era}`
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

  private withRoom(): { connection: PolymarketConnection; isNew: boolean } {
    const known = this.connections.find(({ size }) => size < this.options.assetsPerConnection)
    if (known !== undefined) return { connection: known, isNew: false }
    const connection: PolymarketConnection = new PolymarketConnection({
      ...this.options,
      name: `polymarket-${++this.created}`,
      isAnnouncer: () => this.announcer === connection
    })
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
