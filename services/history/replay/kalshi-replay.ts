import { takeBook } from '../../integrity/book-diff.ts'
import { BookTable } from '../../integrity/book-table.ts'
import { NEEDS_SNAPSHOT } from '../../integrity/verdict.ts'
import { KalshiBooks } from '../../kalshi/books.ts'
import { type Envelope, parseError, parseLifecycle, parseSubscribed } from '../../kalshi/parse.ts'
import { PolledBooks } from '../../kalshi/polled-books.ts'
import { parsePolledRecord } from '../../kalshi/polled-record.ts'
import { isBookChannel, parseSentCommand, type SentCommand } from '../../kalshi/sent-command.ts'
import type { KalshiConnection } from '../../kalshi/subscriptions.ts'
import type { MarketRecord } from '../../snapshots/market-record.ts'
import type { JournalRecord } from '../journal/record.ts'
import type { VenueReplay } from './venue-replay.ts'

/** One connection of the recorded run. */
interface Wire {
  readonly connection: KalshiConnection
  readonly books: KalshiBooks
  readonly table: BookTable
  /** Channels that were asked for and not yet answered, by the command's id. */
  readonly asked: Map<number, string>
  /** Channels by `sid`. */
  readonly channels: Map<number, string>
}

/** Errors that end their subscription: section 6.5 of the protocol. */
const TERMINAL: ReadonlySet<number> = new Set([10, 17, 25])

/**
 * Does to Kalshi's books what the recorded stream did: frames go through the same code, and the commands that were sent
 * tell which books the stream took for lost.
 */
export class KalshiReplay implements VenueReplay {
  private readonly table: BookTable
  private readonly live: KalshiBooks
  private readonly polled: PolledBooks
  /** Open connections by number. */
  private readonly wires = new Map<number, Wire>()
  /** Opened, and nothing came on it yet: whether it keeps the live books is told next. */
  private readonly fresh = new Set<number>()
  /** Another one keeps the live books now: what still comes on it is told to nobody. */
  private readonly retired = new Set<number>()
  /** The one that keeps the live books. */
  private current: number | null = null
  private highest = 0

  constructor(table: BookTable) {
    this.table = table
    this.live = this.booksOf(table)
    this.polled = new PolledBooks(table)
  }

  put({ slot, market }: MarketRecord): void {
    const isTrading = market.status === 'open' || market.status === 'halted'
    const known = this.live.slotOf(market.symbol)
    if (isTrading && known === slot) return
    for (const { books, table } of this.all()) {
      if (known !== undefined) books.unfollow(market.symbol)
      if (!isTrading) continue
      books.follow(market.symbol, slot)
      table.raise(slot, 'awaiting_snapshot')
    }
  }

  remove({ market }: MarketRecord): void {
    for (const { books } of this.all()) books.unfollow(market.symbol)
  }

  take({ kind, atMs, connection, body }: JournalRecord): void {
    if (this.retired.has(connection) && kind !== 'opened' && kind !== 'closed') return
    switch (kind) {
      case 'frame': {
        const { books, connection: counted } = this.wire(connection)
        books.apply(body, atMs, counted)
        return
      }
      case 'command':
        this.command(this.wire(connection), parseSentCommand(body.toString()))
        return
      case 'opened':
        this.opened(connection)
        return
      case 'adopted':
        this.adopted(connection)
        return
      case 'closed':
        this.closed(connection)
        return
      case 'rest':
        this.rest(body.toString(), atMs)
        return
      case 'hole':
        for (const { books, table } of this.all()) this.awaitAll(books, table)
    }
  }

  settle(): void {}

  private opened(number: number): void {
    // Numbers begin anew with each run: the one before ended without a word.
    if (number <= this.highest) this.endRun()
    this.highest = number
    this.fresh.add(number)
  }

  private adopted(number: number): void {
    if (this.current !== null && this.current !== number) this.retire(this.current)
    const filled = this.wires.get(number)
    if (filled === undefined) this.wires.set(number, this.begin())
    else if (filled.books !== this.live) this.wires.set(number, this.takeOver(filled))
    this.fresh.delete(number)
    this.current = number
  }

  private retire(number: number): void {
    const wire = this.wires.get(number)
    if (wire !== undefined) this.live.drop(wire.connection)
    this.wires.delete(number)
    this.retired.add(number)
  }

  private endRun(): void {
    for (const open of [...this.wires.keys()]) this.closed(open)
    this.fresh.clear()
    this.retired.clear()
  }

  /** A connection that keeps the live books from its opening on. */
  private begin(startAnywhere = false): Wire {
    const { live, table } = this
    this.awaitAll(live, table)
    for (const [, slot] of live.followed()) {
      table.setSource(slot, 'websocket')
      table.clear(slot, 'disconnected', 'refused', 'poll_overdue')
    }
    return wireOf(live, table, live.connection({ startAnywhere }))
  }

  private takeOver({ books, table, connection, asked, channels }: Wire): Wire {
    for (const [, slot] of this.live.followed()) takeBook(this.table, table, slot)
    books.drop(connection)
    this.live.adopt(connection)
    return { books: this.live, table: this.table, connection, asked, channels }
  }

  private closed(number: number): void {
    const wire = this.wires.get(number)
    this.fresh.delete(number)
    this.retired.delete(number)
    this.wires.delete(number)
    if (wire === undefined || number !== this.current) return
    this.current = null
    this.live.drop(wire.connection)
    for (const [, slot] of this.live.followed()) this.table.raise(slot, 'disconnected')
  }

  /** The connection of a record. One whose opening is not in the record keeps the live books if no other does. */
  private wire(number: number): Wire {
    const known = this.wires.get(number)
    if (known !== undefined) return known
    const isUntold = !this.fresh.delete(number) && this.current === null
    const wire = isUntold ? this.begin(true) : this.shadow()
    this.wires.set(number, wire)
    if (isUntold) this.current = number
    this.highest = Math.max(this.highest, number)
    return wire
  }

  /** A connection that fills books of its own, until it is adopted or closed. */
  private shadow(): Wire {
    const { capacityMarkets, arena } = this.table
    const table = new BookTable({ capacityMarkets, capacityLevels: arena.capacityLevels })
    const books = this.booksOf(table)
    for (const [ticker, slot] of this.live.followed()) {
      books.follow(ticker, slot)
      table.raise(slot, 'awaiting_snapshot')
    }
    return wireOf(books, table, books.connection())
  }

  private booksOf(table: BookTable): KalshiBooks {
    return new KalshiBooks({ table, onControl: (message, connection) => this.control(message, connection) })
  }

  private command(wire: Wire, command: SentCommand | null): void {
    if (command === null) return
    const { id, action, channel, sid, tickers } = command
    if (action === 'subscribe' && id !== null && channel !== null) wire.asked.set(id, channel)
    if (!isBookChannel(sid === null ? channel : (wire.channels.get(sid) ?? null))) return
    if (action === 'unsubscribe') this.awaitAll(wire.books, wire.table)
    for (const ticker of tickers) {
      const slot = wire.books.slotOf(ticker)
      if (slot === undefined) continue
      // A book that is whole here and was asked for was doubted for what the record does not tell.
      const reasons = wire.table.verdicts.reasons[slot] as number
      if (action !== 'get_snapshot' || (reasons & NEEDS_SNAPSHOT) === 0)
        wire.table.raise(slot, 'awaiting_snapshot')
    }
  }

  private control({ type, id, sid, msg }: Envelope, connection: KalshiConnection): void {
    const wire = this.wireOf(connection)
    if (wire === undefined) return
    if (type === 'subscribed') {
      const opened = parseSubscribed(msg)
      if (opened !== null) wire.channels.set(opened.sid, opened.channel)
    }
    if (type === 'ok' && sid !== null && id !== null && wire.asked.has(id))
      wire.channels.set(sid, wire.asked.get(id) as string)
    if (id !== null) wire.asked.delete(id)
    if (type === 'market_lifecycle_v2') this.lifecycle(wire, msg)
    if (type === 'error' && TERMINAL.has(parseError(msg).code)) this.ended(wire, sid)
  }

  /** A pause that ended took all resting orders with it. */
  private lifecycle({ books, table }: Wire, msg: unknown): void {
    const lifecycle = parseLifecycle(msg)
    if (lifecycle?.eventType !== 'activated') return
    const slot = books.slotOf(lifecycle.ticker)
    if (slot !== undefined) table.raise(slot, 'awaiting_snapshot')
  }

  /** The venue ended a subscription; one that it does not name is that of the books. */
  private ended({ connection, channels, books, table }: Wire, sid: number | null): void {
    const channel = sid === null ? undefined : channels.get(sid)
    if (sid !== null) connection.end(sid)
    if (channel === undefined || isBookChannel(channel)) this.awaitAll(books, table)
  }

  private rest(text: string, atMs: number): void {
    const polled = parsePolledRecord(text)
    const slot = polled === null ? undefined : this.live.slotOf(polled.ticker)
    if (polled === null || slot === undefined) return
    this.table.setSource(slot, 'poll')
    this.polled.apply(slot, polled.book, atMs)
  }

  private awaitAll(books: KalshiBooks, table: BookTable): void {
    for (const [, slot] of books.followed()) table.raise(slot, 'awaiting_snapshot')
  }

  private wireOf(connection: KalshiConnection): Wire | undefined {
    for (const wire of this.wires.values()) if (wire.connection === connection) return wire
    return undefined
  }

  private *all(): Generator<{ books: KalshiBooks; table: BookTable }> {
    yield { books: this.live, table: this.table }
    for (const wire of this.wires.values()) if (wire.books !== this.live) yield wire
  }
}

function wireOf(books: KalshiBooks, table: BookTable, connection: KalshiConnection): Wire {
  return { books, table, connection, asked: new Map(), channels: new Map() }
}
