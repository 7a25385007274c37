import type { Market } from '../../schemas/market.ts'
import { ArenaFullError } from '../errors.ts'
import { reasonBit, reasonBits } from '../integrity/verdict.ts'
import { NO, type Outcome, YES } from '../orderbook/arena.ts'
import { LevelList } from '../orderbook/levels.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import {
  type ChangedLevels,
  type MarketChange,
  type Metadata,
  OUTCOME_STEP,
  type VerdictFields,
  type WholeBook
} from './codec.ts'

/** A market as a replica has it. */
export interface ReplicaMarket {
  readonly id: string
  readonly shard: number
  /** Of the writer that told it last, and that writer's version. */
  epoch: number
  version: number
  /** When its shard told it whole, epoch milliseconds by the clock of Redis. */
  toldAtMs: number
  /** What the writer says of it, without what this process adds. */
  reasons: number
  /** False where its book found no room here: only a whole one can mend that. */
  hasBook: boolean
}

export type Applied = 'applied' | 'known' | 'gap' | 'no_room'

const LOCAL_REASONS = reasonBits(['replica_gap', 'replica_lagging'])
const ARENA_FULL = reasonBit('arena_full')

/**
 * Brings what other processes tell of their markets into the store, so that it says what theirs say, and adds what only
 * this one knows: that it lags, or missed something.
 */
export class ReplicaBooks {
  private readonly store: SnapshotStore
  /**
   * As they are served. A market whose event changes moves to another shard, and nothing says in which order two shards are
   * read: both may have it for a while, and it is that one's which told it whole last, as far as their times tell.
   */
  private readonly markets = new Map<string, ReplicaMarket>()
  /** By shard: every market that it has, by its own word. */
  private readonly shards: Map<string, ReplicaMarket>[]
  private readonly levels = new LevelList()
  /** Markets that the store had no slot for. */
  readonly withoutRoom = new Set<string>()

  constructor(store: SnapshotStore, shards: number) {
    this.store = store
    this.shards = Array.from({ length: shards }, () => new Map())
  }

  get size(): number {
    return this.markets.size
  }

  of(shard: number): ReadonlyMap<string, ReplicaMarket> {
    return this.shards[shard] as Map<string, ReplicaMarket>
  }

  /**
   * Takes over what a market became. `local` are the reasons that hold for every market of the shard, `writtenAtMs` is when
   * it was written, epoch milliseconds by the clock of Redis.
   */
  apply(shard: number, epoch: number, change: MarketChange, local: number, writtenAtMs: number): Applied {
    const [id, , to, verdict, levels, whole, metadata] = change
    const known = this.shards[shard]?.get(id)
    if (!follows(known, epoch, change)) return this.withoutRoom.has(id) ? 'no_room' : 'gap'
    if (known !== undefined && (known.epoch > epoch || (known.epoch === epoch && to < known.version)))
      return 'known'
    const served = this.markets.get(id)
    const isEntering = whole !== null && metadata !== null
    if (served !== undefined && served !== known && !(isEntering && writtenAtMs >= served.toldAtMs)) {
      // Another shard told it whole since.
      Object.assign(known ?? this.enter(id, shard), { epoch, version: to })
      return 'known'
    }
    const record = metadata === null ? this.store.get(id) : this.putMarket(metadata)
    if (record === null || record === undefined) {
      this.withoutRoom.add(id)
      return 'no_room'
    }
    this.withoutRoom.delete(id)
    const market = known ?? this.enter(id, shard)
    this.markets.set(id, market)
    if (isEntering) market.toldAtMs = writtenAtMs
    market.epoch = epoch
    market.version = to
    if (whole !== null || market.hasBook) market.hasBook = this.putLevels(record.slot, levels, whole)
    market.reasons = market.hasBook ? verdict[0] : verdict[0] | ARENA_FULL
    this.putVerdict(record.slot, verdict)
    this.store.books.assume(record.slot, market.reasons | local)
    return 'applied'
  }

  /**
   * A shard has a market no longer. Returns another shard that told it too, and whose word was passed over since: it serves
   * the market from now on, and has to be filled anew. Null where there is none: the market is gone then.
   */
  remove(shard: number, id: string): number | null {
    this.withoutRoom.delete(id)
    const market = this.shards[shard]?.get(id)
    if (market === undefined) return null
    this.shards[shard]?.delete(id)
    if (this.markets.get(id) !== market) return null
    const other = this.shards.find((markets) => markets.has(id))?.get(id)
    if (other !== undefined) {
      this.markets.set(id, other)
      return other.shard
    }
    this.markets.delete(id)
    this.store.remove(id)
    return null
  }

  /** Sets what this process says of a market, besides what its writer says. */
  flag(market: ReplicaMarket, local: number): void {
    const { id, reasons } = market
    const record = this.store.get(id)
    if (record === undefined || this.markets.get(id) !== market) return
    const before = (this.store.books.verdicts.reasons[record.slot] as number) & LOCAL_REASONS
    if (before !== local) this.store.books.assume(record.slot, reasons | local)
  }

  private enter(id: string, shard: number): ReplicaMarket {
    const market: ReplicaMarket = { id, shard, epoch: 0, version: 0, toldAtMs: 0, reasons: 0, hasBook: false }
    this.shards[shard]?.set(id, market)
    return market
  }

  private putMarket([market, rules, event]: Metadata): MarketRecord | null {
    if (event !== null) this.store.putEvent(event)
    // Its writer lost it with its last market, before this one came.
    else if (market.eventId !== null) this.store.forgetEvent(market.eventId)
    return this.store.put(market as Market, rules)
  }

  private putVerdict(slot: number, [, source, mismatches, ...marks]: VerdictFields): void {
    const { books } = this.store
    const [sequence, venueTimeMs, receivedAtMs, verifiedAtMs] = marks
    books.setSource(slot, source === 0 ? 'websocket' : 'poll')
    books.verdicts.mismatches[slot] = mismatches
    books.verdicts.assume(slot, orNaN(sequence), orNaN(venueTimeMs), orNaN(receivedAtMs), orNaN(verifiedAtMs))
  }

  /** Returns false when there is no room for the book, which is then empty. */
  private putLevels(slot: number, levels: ChangedLevels | null, whole: WholeBook | null): boolean {
    const { arena } = this.store.books
    try {
      if (whole !== null) {
        this.replace(slot, YES, whole[0], whole[1])
        this.replace(slot, NO, whole[2], whole[3])
      } else if (levels !== null) {
        const [at, sizes] = levels
        for (let i = 0; i < at.length; i++) {
          const level = at[i] as number
          const outcome = level < OUTCOME_STEP ? YES : NO
          arena.setLevel(slot, outcome, level % OUTCOME_STEP, sizes[i] as number)
        }
      }
      return true
    } catch (error) {
      if (!(error instanceof ArenaFullError)) throw error
      arena.release(slot)
      return false
    }
  }

  private replace(slot: number, outcome: Outcome, prices: number[], sizes: number[]): void {
    const { levels } = this
    levels.clear()
    for (let i = 0; i < prices.length; i++) levels.push(prices[i] as number, sizes[i] as number)
    this.store.books.arena.replace(slot, outcome, levels)
  }
}

/** Whether a change can be applied to what its shard told of its market: all that lies between was told. */
function follows(
  known: ReplicaMarket | undefined,
  epoch: number,
  [, from, , , , whole, metadata]: MarketChange
): boolean {
  if (whole !== null) return known !== undefined || metadata !== null
  return known !== undefined && (known.epoch > epoch || (known.epoch === epoch && from <= known.version))
}

function orNaN(value: number | null): number {
  return value ?? Number.NaN
}
