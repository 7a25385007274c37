import { ONE_E4 } from '../numbers/decimal.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import { writeWhole } from '../snapshots/number-bytes.ts'
import {
  tailBytesMax,
  write,
  writeLevel,
  writeQuote,
  writeVerdict,
  writeVerdictOpening,
  writeVerdictRest
} from '../snapshots/row-writer.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import { type ChangedLevels, outcomeOf, priceOf } from './change-collector.ts'

/** The JSON of one market's state, and which part of it must differ for it to be worth telling again. */
export interface StateBody {
  bytes: Buffer
  /** What says something new when it differs: no version, no time. */
  said: Buffer
}

/** Writes what streams say of one market as bytes, straight from the arena. Counts what it writes. */
export class BodyWriter {
  written = 0
  private readonly store: SnapshotStore
  private readonly heads: ({ id: string; bytes: Buffer } | undefined)[] = []
  private scratch = Buffer.allocUnsafeSlow(1 << 16)

  constructor(store: SnapshotStore) {
    this.store = store
  }

  /** A whole `StreamBook`. */
  wholeBook(record: MarketRecord): Buffer {
    const { arena } = this.store.books
    const { slot } = record
    const bids = arena.count(slot, YES)
    const asks = arena.count(slot, NO)
    let at = this.begin(record, Math.max(bids, asks))
    at = this.text(at, PREVIOUS_NULL)
    at = this.side(slot, YES, bids, this.text(at, BIDS))
    at = this.side(slot, NO, asks, this.text(at, ASKS))
    return this.end(slot, this.text(at, CLOSE_LIST))
  }

  /** A `StreamBook` of the levels that changed since the version `previous`; absolute sizes, as they are now. */
  changedBook(record: MarketRecord, previous: number, changed: NonNullable<ChangedLevels>): Buffer {
    const { slot } = record
    let at = this.begin(record, changed.length)
    at = this.text(at, PREVIOUS)
    at = writeWhole(this.scratch, at, previous)
    const keys = changed.length > 1 ? [...new Set(changed)] : changed
    at = this.levels(slot, YES, keys, this.text(at, BIDS))
    at = this.levels(slot, NO, keys, this.text(at, ASKS))
    return this.end(slot, this.text(at, CLOSE_LIST))
  }

  /** A `StreamDepth` of that many levels a side. */
  depth(record: MarketRecord, depth: number): StateBody {
    const { arena } = this.store.books
    const { slot } = record
    const from = this.begin(record, depth)
    let at = this.side(slot, YES, Math.min(depth, arena.count(slot, YES)), this.text(from, BIDS))
    at = this.side(slot, NO, Math.min(depth, arena.count(slot, NO)), this.text(at, ASKS))
    return this.state(slot, from, this.text(at, CLOSE_LIST))
  }

  /** A `StreamTicker`. */
  ticker(record: MarketRecord): StateBody {
    const { slot, market } = record
    const { store } = this
    const from = this.begin(record, 0)
    const usable = store.books.verdicts.reasons[slot] === 0
    let at = this.text(from, usable ? USABLE : NOT_USABLE)
    at = writeQuote(store, slot, YES, this.scratch, at)
    at = writeQuote(store, slot, NO, this.scratch, this.text(at, NO_QUOTE))
    at = this.string(at, `},"volume":${quoted(market.volume)},"volume24h":${quoted(market.volume24h)}`)
    return this.state(slot, from, at)
  }

  /** A `StreamSummary`: the compatibility form, in numbers. */
  summary(record: MarketRecord, nowMs: number): StateBody {
    const { arena } = this.store.books
    const { slot, market } = record
    const yes = arena.priceAt(slot, YES, 0)
    const no = arena.priceAt(slot, NO, 0)
    const said =
      `{"market_id":${JSON.stringify(record.id)},"platform":"${market.venue}","summary_stats":{` +
      `"yes":${sideStats(yes, no, market.volume)},"no":${sideStats(no, yes, market.volume)}}`
    const bytes = Buffer.from(`${said},"timestamp":"${new Date(nowMs).toISOString()}"}`)
    this.written++
    return { bytes, said: bytes.subarray(0, Buffer.byteLength(said)) }
  }

  private begin({ id, slot }: MarketRecord, levels: number): number {
    const needed = tailBytesMax(levels) + id.length * 6
    if (this.scratch.length < needed) this.scratch = Buffer.allocUnsafeSlow(needed * 2)
    const at = this.text(0, this.head(slot, id))
    return writeWhole(this.scratch, at, this.store.books.versions[slot] as number)
  }

  /** What a body starts with; it stays while the slot is the market's. */
  private head(slot: number, id: string): Buffer {
    const known = this.heads[slot]
    if (known?.id === id) return known.bytes
    const bytes = Buffer.from(`{"id":${JSON.stringify(id)},"version":`)
    this.heads[slot] = { id, bytes }
    return bytes
  }

  private side(slot: number, outcome: Outcome, levels: number, from: number): number {
    const { arena } = this.store.books
    let at = from
    for (let i = 0; i < levels; i++) {
      const price = arena.priceAt(slot, outcome, i)
      const size = arena.sizeAt(slot, outcome, i)
      at = writeLevel(this.scratch, at, i, outcome === YES ? price : ONE_E4 - price, size)
    }
    return at
  }

  private levels(slot: number, outcome: Outcome, keys: readonly number[], from: number): number {
    let at = from
    let count = 0
    for (const key of keys) {
      if (outcomeOf(key) !== outcome) continue
      const price = priceOf(key)
      const size = this.store.books.arena.sizeOf(slot, outcome, price)
      at = writeLevel(this.scratch, at, count++, outcome === YES ? price : ONE_E4 - price, size)
    }
    return at
  }

  private end(slot: number, from: number): Buffer {
    const at = writeVerdict(this.store, slot, this.scratch, from)
    return this.copy(this.text(at, CLOSE))
  }

  private state(slot: number, from: number, at: number): StateBody {
    const to = writeVerdictOpening(this.store, slot, this.scratch, at)
    const bytes = this.copy(this.text(writeVerdictRest(this.store, slot, this.scratch, to), CLOSE))
    return { bytes, said: bytes.subarray(from, to) }
  }

  private copy(length: number): Buffer {
    this.written++
    return Buffer.from(this.scratch.subarray(0, length))
  }

  private text(at: number, text: Buffer): number {
    return write(this.scratch, at, text)
  }

  private string(at: number, text: string): number {
    return at + this.scratch.write(text, at)
  }
}

/** A price in ten-thousandths as a JSON number; null where there is none. */
function dollars(price: number): string {
  return price < 0 ? 'null' : String(price / ONE_E4)
}

function sideStats(bid: number, otherBid: number, volume: string | null): string {
  const ask = otherBid < 0 ? -1 : ONE_E4 - otherBid
  return `{"bid":${dollars(bid)},"ask":${dollars(ask)},"volume":${volume ?? 'null'}}`
}

function quoted(decimal: string | null): string {
  return decimal === null ? 'null' : `"${decimal}"`
}

const PREVIOUS_NULL = Buffer.from(',"previous":null')
const PREVIOUS = Buffer.from(',"previous":')
const BIDS = Buffer.from(',"bids":[')
const ASKS = Buffer.from('],"asks":[')
const CLOSE_LIST = Buffer.from(']')
const CLOSE = Buffer.from('}')
const USABLE = Buffer.from(',"quotes":{"usable":true,"yes":')
const NOT_USABLE = Buffer.from(',"quotes":{"usable":false,"yes":')
const NO_QUOTE = Buffer.from(',"no":')
