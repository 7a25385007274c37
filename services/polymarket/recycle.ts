import { BookTable } from '../integrity/book-table.ts'
import { type HandoverReport, handOver } from '../venue/handover.ts'
import type { IndependentReads } from '../venue/handover-differences.ts'
import { PolymarketBooks, type PolymarketBooksOptions } from './books.ts'
import type { PolymarketConnection } from './connection.ts'

export interface ShardRenewalOptions {
  books: PolymarketBooks
  table: BookTable
  /** The connection that keeps the live books. */
  old: PolymarketConnection
  /** Makes a connection that fills the given books. */
  createConnection: (books: PolymarketBooks, table: BookTable) => PolymarketConnection
  /** Returns the token of an asset's other outcome; null where it is not known. */
  complementOf: (assetId: string) => string | null
  /** Called with each trade that the new connection tells while it fills its books. */
  onTrade: NonNullable<PolymarketBooksOptions['onTrade']>
  /** True while `old` is one of the venue's connections. */
  isCurrent: () => boolean
  /** Called from then on for an asset whose snapshot is overdue. */
  onOverdue: (assetId: string) => void
  /** From now on the new connection keeps the books; those named need a snapshot. */
  onSwapped: (connection: PolymarketConnection, unfilled: readonly string[]) => void
  signal: AbortSignal
  reads: IndependentReads
  fillTimeoutMs: number
  readTimeoutMs: number
  steadyNow: () => number
}

/** Match groups of shadow books end on time, as those of the live ones do. */
const SETTLE_EVERY_MS = 50

/**
 * Hands the books of one connection over to a new one and closes the one that does not keep them. The new one fills
 * books of its own, in the slots of the live ones, until it takes these over.
 */
export async function renewShard(options: ShardRenewalOptions): Promise<HandoverReport> {
  const { old, complementOf, onTrade, onSwapped, steadyNow } = options
  const { capacityMarkets, arena } = options.table
  const table = new BookTable({ capacityMarkets, capacityLevels: arena.capacityLevels })
  const books = new PolymarketBooks({ table, onTrade, steadyNow })
  const connection = options.createConnection(books, table)
  let isSwapped = false

  /** Follows what the old connection follows by now. */
  const align = () => {
    const wanted = new Map(old.subscriptions().map(({ assetId, slot }) => [assetId, slot]))
    for (const { assetId, slot } of connection.subscriptions()) {
      if (wanted.get(assetId) === slot) continue
      connection.remove(assetId)
      books.unfollow(assetId, complementOf(assetId))
    }
    const known = new Set(connection.subscriptions().map(({ assetId }) => assetId))
    const fresh = old.subscriptions().filter(({ assetId }) => !known.has(assetId))
    for (const { assetId, slot } of fresh) books.follow(assetId, slot, complementOf(assetId))
    if (fresh.length > 0) connection.add(fresh)
    return [...wanted.values()]
  }

  align()
  connection.start()
  const settling = setInterval(() => {
    books.settle(steadyNow())
    connection.tick()
  }, SETTLE_EVERY_MS)
  try {
    return await handOver({
      live: options.table,
      shadow: table,
      align,
      swap: (unfilled) => {
        const assets = new Map(connection.subscriptions().map(({ assetId, slot }) => [slot, assetId]))
        for (const slot of assets.keys()) options.books.takeOver(slot, books)
        connection.moveTo(options.books, options.table, true, options.onOverdue)
        // What still comes on the old one until it is closed is told to books that nobody reads.
        old.moveTo(books, table, false, () => {})
        onSwapped(
          connection,
          unfilled.map((slot) => assets.get(slot) as string)
        )
        isSwapped = true
      },
      isOpen: () => connection.isOpen,
      failure: () => (options.isCurrent() ? null : 'the live connection was closed'),
      signal: options.signal,
      reads: options.reads,
      fillTimeoutMs: options.fillTimeoutMs,
      readTimeoutMs: options.readTimeoutMs,
      steadyNow
    })
  } finally {
    clearInterval(settling)
    await (isSwapped ? old : connection).stop()
  }
}
