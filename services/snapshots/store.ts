import type { Venue } from '../../schemas/common.ts'
import type { Event, EventHeader } from '../../schemas/event.ts'
import type { Market } from '../../schemas/market.ts'
import { BookTable } from '../integrity/book-table.ts'
import type { VerdictReason } from '../integrity/verdict.ts'
import { ChangeBus, type ChangeConsumer } from './change-bus.ts'
import { MarketQueries } from './market-queries.ts'
import type { MarketRecord } from './market-record.ts'

export interface SnapshotStoreOptions {
  capacityMarkets: number
  capacityLevels: number
}

export type BindingWatcher = (slot: number, id: string | null) => void

/** Events come before their markets; more than this without one are not worth their memory. */
const WAITING_EVENTS_MAX = 1_000
/** No verdict has these bits. */
const UNTOLD = 0xffff_ffff
const STATUS_REASONS = ['not_open', 'venue_paused', 'market_closed', 'market_settled'] as const

/**
 * Everything that is served, in memory: markets by canonical id, their books and verdicts by slot, events, and
 * the bus of changes. One writer a market (its venue's feed); any number of readers, who never slow it.
 */
export class SnapshotStore {
  readonly books: BookTable
  readonly queries: MarketQueries
  /** Raised by every change of anything. */
  revision = 0
  /** Raised when a market or event is added, changed or removed. */
  catalogueVersion = 0
  private readonly bus: ChangeBus
  private readonly byId = new Map<string, MarketRecord>()
  private readonly bySlot: (MarketRecord | undefined)[] = []
  private readonly bindingWatchers: BindingWatcher[] = []
  private readonly eventWatchers: ((eventId: string) => void)[] = []
  private readonly verdictWatchers: ((slot: number) => void)[] = []
  /** What the watchers of verdicts heard last of each slot: its reasons, and its source above them. */
  private readonly told: Uint32Array
  private readonly eventHeaders = new Map<string, EventHeader>()
  private readonly eventMarkets = new Map<string, Set<string>>()

  constructor({ capacityMarkets, capacityLevels }: SnapshotStoreOptions) {
    this.books = new BookTable({ capacityMarkets, capacityLevels })
    this.bus = new ChangeBus(capacityMarkets)
    this.told = new Uint32Array(capacityMarkets).fill(UNTOLD)
    this.queries = new MarketQueries({
      capacity: capacityMarkets,
      all: () => this.byId.values(),
      state: (record) => this.books.verdicts.state(record.slot),
      source: (record) => this.books.verdicts.sourceOf(record.slot)
    })
    this.books.onTouch = (slot) => {
      this.revision++
      this.bus.mark(slot)
      if (this.verdictWatchers.length > 0) this.tellVerdict(slot)
    }
    this.books.onState = (slot) => {
      const record = this.bySlot[slot]
      if (record !== undefined) this.queries.stateChanged(record)
    }
    this.books.onSource = (slot) => {
      const record = this.bySlot[slot]
      if (record === undefined) return
      this.queries.sourceChanged(record)
      this.revision++
    }
  }

  get size(): number {
    return this.byId.size
  }

  get(id: string): MarketRecord | undefined {
    return this.byId.get(id)
  }

  at(slot: number): MarketRecord | undefined {
    return this.bySlot[slot]
  }

  records(): IterableIterator<MarketRecord> {
    return this.byId.values()
  }

  /** Adds a market, or takes over what its venue newly says of it; null when every slot is in use. */
  put(market: Market, rules: string): MarketRecord | null {
    const known = this.byId.get(market.id)
    if (known === undefined) return this.add(market, rules)
    if (sameMarket(known.market, market) && known.rules === rules) return known
    this.queries.remove(known)
    const isRegrouped = known.market.eventId !== market.eventId
    if (isRegrouped) this.unlinkEvent(known.market)
    known.market = market
    known.rules = rules
    known.metaVersion = ++this.catalogueVersion
    if (isRegrouped) this.linkEvent(market)
    this.queries.insert(known)
    this.applyStatus(known)
    this.books.touch(known.slot)
    return known
  }

  /** Changes some of what is known of a market, as lifecycle messages do. */
  patch(id: string, change: Partial<Market>): void {
    const record = this.byId.get(id)
    if (record !== undefined) this.put({ ...record.market, ...change }, record.rules)
  }

  /** Forgets a market and frees its memory. */
  remove(id: string): void {
    const record = this.byId.get(id)
    if (record === undefined) return
    this.queries.remove(record)
    this.unlinkEvent(record.market)
    this.byId.delete(id)
    this.bySlot[record.slot] = undefined
    this.told[record.slot] = UNTOLD
    this.catalogueVersion++
    this.books.release(record.slot)
    this.tellBinding(record.slot, null)
  }

  /** Adds an event or takes over what its venue newly says of it. Kept while a served market belongs to it. */
  putEvent(header: EventHeader): void {
    const known = this.eventHeaders.get(header.id)
    if (known !== undefined && JSON.stringify(known) === JSON.stringify(header)) return
    this.eventHeaders.set(header.id, header)
    this.catalogueVersion++
    for (const watcher of this.eventWatchers) watcher(header.id)
    if (this.eventHeaders.size > this.eventMarkets.size + WAITING_EVENTS_MAX) this.forgetLoneEvents()
  }

  /** Forgets what is known of an event; its markets stay. */
  forgetEvent(id: string): void {
    if (this.eventHeaders.delete(id)) this.catalogueVersion++
  }

  getEvent(id: string): Event | undefined {
    const header = this.eventHeaders.get(id)
    const marketIds = this.eventMarkets.get(id)
    return header === undefined || marketIds === undefined
      ? undefined
      : { ...header, marketIds: [...marketIds].sort() }
  }

  /** Returns all that is known of a market; undefined where it is not served. */
  discovered(id: string): { market: Market; rules: string; event: EventHeader | null } | undefined {
    const record = this.byId.get(id)
    if (record === undefined) return undefined
    const { market, rules } = record
    const event = market.eventId === null ? null : (this.eventHeaders.get(market.eventId) ?? null)
    return { market, rules, event }
  }

  /** Ids of the events that have served markets, of one venue if it is given, in ascending order. */
  eventIds(venue?: Venue): string[] {
    const ids: string[] = []
    for (const id of this.eventMarkets.keys()) {
      const header = this.eventHeaders.get(id)
      if (header !== undefined && (venue === undefined || header.venue === venue)) ids.push(id)
    }
    return ids.sort()
  }

  /** Follows changes: see `ChangeBus.consume`. */
  consume(wake?: () => void): ChangeConsumer {
    return this.bus.consume(wake)
  }

  /**
   * Calls `watcher` synchronously after every change of a slot's reasons or source, and when a market comes to a slot
   * or leaves it; returns what ends it. It must not throw, and must be quick: a feed waits for it.
   */
  watchVerdicts(watcher: (slot: number) => void): () => void {
    this.verdictWatchers.push(watcher)
    return () => {
      const index = this.verdictWatchers.indexOf(watcher)
      if (index >= 0) this.verdictWatchers.splice(index, 1)
    }
  }

  /**
   * Calls `watcher` synchronously when a slot is a market's from now on, or nobody's (null): before the market's first
   * change and after its last. Returns what ends it. It must not throw.
   */
  watchBindings(watcher: BindingWatcher): () => void {
    this.bindingWatchers.push(watcher)
    return () => {
      const index = this.bindingWatchers.indexOf(watcher)
      if (index >= 0) this.bindingWatchers.splice(index, 1)
    }
  }

  /** Calls `watcher` synchronously when what is known of an event is new; returns what ends it. It must not throw. */
  watchEvents(watcher: (eventId: string) => void): () => void {
    this.eventWatchers.push(watcher)
    return () => {
      const index = this.eventWatchers.indexOf(watcher)
      if (index >= 0) this.eventWatchers.splice(index, 1)
    }
  }

  private tellBinding(slot: number, id: string | null): void {
    for (const watcher of this.bindingWatchers) watcher(slot, id)
  }

  private tellVerdict(slot: number): void {
    const { reasons, source } = this.books.verdicts
    const says = ((reasons[slot] as number) | ((source[slot] as number) << 30)) >>> 0
    if (this.told[slot] === says) return
    this.told[slot] = says
    for (const watcher of this.verdictWatchers) watcher(slot)
  }

  private add(market: Market, rules: string): MarketRecord | null {
    const slot = this.books.allocate()
    if (slot < 0) return null
    const metaVersion = ++this.catalogueVersion
    const record: MarketRecord = { slot, id: market.id, market, rules, metaVersion }
    this.byId.set(record.id, record)
    this.bySlot[slot] = record
    this.told[slot] = UNTOLD
    this.tellBinding(slot, record.id)
    this.linkEvent(market)
    this.queries.insert(record)
    this.applyStatus(record)
    this.books.touch(slot)
    return record
  }

  private applyStatus({ slot, market }: MarketRecord): void {
    const wanted = STATUS_REASON[market.status]
    for (const reason of STATUS_REASONS) {
      if (reason === wanted) this.books.raise(slot, reason)
      else this.books.clear(slot, reason)
    }
  }

  private linkEvent({ id, eventId }: Market): void {
    if (eventId === null) return
    const markets = this.eventMarkets.get(eventId)
    if (markets === undefined) this.eventMarkets.set(eventId, new Set([id]))
    else markets.add(id)
  }

  /** Drops the events whose market never came, save the newest, whose market may be about to. */
  private forgetLoneEvents(): void {
    const lone = [...this.eventHeaders.keys()].filter((id) => !this.eventMarkets.has(id))
    for (const id of lone.slice(0, -1)) this.eventHeaders.delete(id)
  }

  private unlinkEvent({ id, eventId }: Market): void {
    if (eventId === null) return
    const markets = this.eventMarkets.get(eventId)
    markets?.delete(id)
    if (markets?.size !== 0) return
    this.eventMarkets.delete(eventId)
    this.eventHeaders.delete(eventId)
  }
}

const STATUS_REASON: Record<Market['status'], VerdictReason | null> = {
  pending: 'not_open',
  open: null,
  halted: 'venue_paused',
  closed: 'market_closed',
  settled: 'market_settled'
}

function sameMarket(a: Market, b: Market): boolean {
  return JSON.stringify(a) === JSON.stringify(b)
}
