import { takeBook } from '../../integrity/book-diff.ts'
import { BookTable } from '../../integrity/book-table.ts'
import { PolymarketBooks } from '../../polymarket/books.ts'
import { parseSeedRecord } from '../../polymarket/seed-record.ts'
import { parseSentCommand, type SentCommand } from '../../polymarket/sent-command.ts'
import type { MarketRecord } from '../../snapshots/market-record.ts'
import { hasEnded } from '../../venue/catalogue.ts'
import type { JournalRecord } from '../journal/record.ts'
import { nameOfOpened } from './opened-record.ts'
import type { VenueReplay } from './venue-replay.ts'

/** One connection of the recorded run. */
interface Wire {
  readonly name: string
  books: PolymarketBooks
  table: BookTable
  /** Subscribed on it, known to us or not. */
  readonly assets: Set<string>
}

interface PolymarketReplayOptions {
  table: BookTable
  /** 0: books are not proved by their hashes. */
  hashBudgetPercent: number
  /** The time of the record under way, for all that is measured. */
  now: () => number
}

/**
 * Does to Polymarket's books what the recorded connections did: frames and REST books go through the same code, and the
 * texts that were sent tell what was subscribed where.
 */
export class PolymarketReplay implements VenueReplay {
  private readonly options: PolymarketReplayOptions
  private readonly live: PolymarketBooks
  /** Open connections by number. */
  private readonly wires = new Map<number, Wire>()
  /** Names of connections that were opened, and on which nothing came yet: which books they keep is told next. */
  private readonly fresh = new Map<number, string>()
  /** Another one keeps their books now: what still comes on them is told to nobody. */
  private readonly retired = new Set<number>()
  private highest = 0

  constructor(options: PolymarketReplayOptions) {
    this.options = options
    this.live = this.booksOf(options.table)
  }

  put({ slot, market }: MarketRecord): void {
    const { tokens, venueMarketId } = market
    if (tokens === null) return
    const isFollowed = this.live.slotOf(tokens.yes) === slot
    const isWanted = !hasEnded(market)
    if (isFollowed === isWanted) return
    for (const books of this.all()) {
      if (isWanted) books.follow(tokens.yes, slot, tokens.no, books === this.live ? venueMarketId : null)
      else books.unfollow(tokens.yes, tokens.no, venueMarketId)
    }
  }

  remove({ market: { tokens, venueMarketId } }: MarketRecord): void {
    if (tokens === null) return
    for (const books of this.all()) books.unfollow(tokens.yes, tokens.no, venueMarketId)
  }

  take({ kind, atMs, connection, body }: JournalRecord): void {
    if (this.retired.has(connection) && kind !== 'opened' && kind !== 'closed') return
    switch (kind) {
      case 'frame':
        this.wire(connection).books.apply(body, atMs)
        return
      case 'command':
        this.command(this.wire(connection), parseSentCommand(body.toString()))
        return
      case 'opened':
        this.opened(connection, nameOfOpened(body.toString()))
        return
      case 'adopted':
        this.adopted(connection)
        return
      case 'closed':
        this.closed(connection)
        return
      case 'rest': {
        const { book, streaming } = parseSeedRecord(body.toString())
        this.live.seed(book, atMs, streaming)
        return
      }
      case 'hole':
        for (const books of this.all()) for (const [, slot] of books.followed()) books.awaitSnapshot(slot)
    }
  }

  settle(atMs: number): void {
    for (const books of this.all()) books.settle(atMs)
  }

  private opened(number: number, name: string): void {
    // Numbers begin anew with each run: the one before ended without a word.
    if (number <= this.highest) {
      for (const open of [...this.wires.keys()]) this.closed(open)
      this.fresh.clear()
      this.retired.clear()
    }
    this.highest = number
    this.fresh.set(number, name)
  }

  private adopted(number: number): void {
    const name = this.fresh.get(number)
    this.fresh.delete(number)
    const filled = this.wires.get(number)
    if (filled === undefined) this.wires.set(number, this.wireOf(name ?? ''))
    else if (filled.books !== this.live) this.takeOver(number, filled)
  }

  /** The books of the connection of the same name go over to this one, which has filled its own. */
  private takeOver(number: number, wire: Wire): void {
    const { live } = this
    const { table } = this.options
    for (const assetId of wire.assets) {
      const slot = live.slotOf(assetId)
      if (slot === undefined) continue
      takeBook(table, wire.table, slot)
      live.takeOver(slot, wire.books)
    }
    wire.books = live
    wire.table = table
    for (const [other, { name, books }] of this.wires) {
      if (other === number || name !== wire.name || books !== live) continue
      this.wires.delete(other)
      this.retired.add(other)
    }
  }

  private closed(number: number): void {
    const wire = this.wires.get(number)
    this.wires.delete(number)
    this.fresh.delete(number)
    this.retired.delete(number)
    if (wire?.books !== this.live) return
    for (const assetId of wire.assets) {
      const slot = this.live.slotOf(assetId)
      if (slot !== undefined) this.options.table.raise(slot, 'disconnected')
    }
  }

  /** The connection of a record. One whose opening is not in the record keeps live books. */
  private wire(number: number): Wire {
    const known = this.wires.get(number)
    if (known !== undefined) return known
    const name = this.fresh.get(number)
    const wire = name === undefined ? this.wireOf('') : this.shadow(name)
    this.fresh.delete(number)
    this.wires.set(number, wire)
    this.highest = Math.max(this.highest, number)
    return wire
  }

  private wireOf(name: string): Wire {
    return { name, books: this.live, table: this.options.table, assets: new Set() }
  }

  /** A connection that fills books of its own, until it is adopted or closed. */
  private shadow(name: string): Wire {
    const { capacityMarkets, arena } = this.options.table
    const table = new BookTable({ capacityMarkets, capacityLevels: arena.capacityLevels })
    const books = this.booksOf(table)
    for (const [assetId, slot] of this.live.followed())
      books.follow(assetId, slot, this.live.complementOf(slot))
    return { name, books, table, assets: new Set() }
  }

  private booksOf(table: BookTable): PolymarketBooks {
    const { hashBudgetPercent, now } = this.options
    return new PolymarketBooks({ table, hashBudgetPercent, now, steadyNow: now })
  }

  private command({ assets, books, table }: Wire, command: SentCommand | null): void {
    if (command === null) return
    for (const assetId of command.assetIds) {
      if (command.action === 'unsubscribe') {
        assets.delete(assetId)
        continue
      }
      // One that was subscribed already is named only to turn on the announcements.
      if (assets.has(assetId)) continue
      assets.add(assetId)
      const slot = books.slotOf(assetId)
      if (slot === undefined) continue
      books.awaitSnapshot(slot)
      table.clear(slot, 'disconnected')
    }
  }

  private *all(): Generator<PolymarketBooks> {
    yield this.live
    for (const { books } of this.wires.values()) if (books !== this.live) yield books
  }
}
