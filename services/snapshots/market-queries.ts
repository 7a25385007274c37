import type { Venue } from '../../schemas/common.ts'
import type { Market, MarketStatus } from '../../schemas/market.ts'
import type { VerdictSource, VerdictState } from '../integrity/verdict.ts'
import type { MarketRecord } from './market-record.ts'

export const MARKET_SORTS = ['id', 'title', 'closeTime', '-volume24h', '-volume'] as const
export type MarketSort = (typeof MARKET_SORTS)[number]

/** Which markets are wanted, in which order. */
export interface MarketFilter {
  venue?: Venue
  status?: MarketStatus
  state?: VerdictState
  source?: VerdictSource
  /** Text that must occur in the title or the symbol, whatever its case. */
  q?: string
  sort: MarketSort
}

export interface MarketQueriesOptions {
  capacity: number
  all: () => Iterable<MarketRecord>
  state: (record: MarketRecord) => VerdictState
  source: (record: MarketRecord) => VerdictSource
}

/** An answer in order: another generation for another answer. Its array is the query's own, as that of `find`. */
export interface Ordering {
  readonly records: readonly MarketRecord[]
  readonly generation: number
}

/** As many different filters are kept in order as people ask at a time; the least recently asked goes first. */
const MAX_KEPT = 64
/** With more changes waiting than this, sorting anew costs less than mending. */
const MAX_PENDING = 2_000

/**
 * Keeps the answers to the filters that are asked in order, and mends them by what changed: a page of the
 * hundred-thousandth market costs no scan of the others.
 */
export class MarketQueries {
  private readonly options: KeptQueryOptions
  private readonly kept = new Map<string, KeptQuery>()

  constructor(options: MarketQueriesOptions) {
    this.options = { ...options, inDoubt: new Uint8Array(options.capacity) }
  }

  /** Returns all records that match, in order. The array is the query's own: read it at once, do not keep it. */
  find(filter: MarketFilter): readonly MarketRecord[] {
    return this.read(filter, queryKey(filter)).records
  }

  /** Does what `find` does for who has the filter's key already, and says which ordering it is. */
  read(filter: MarketFilter, key: string): Ordering {
    let query = this.kept.get(key)
    if (query === undefined) {
      query = new KeptQuery(filter, this.options)
      if (this.kept.size === MAX_KEPT) this.kept.delete(this.kept.keys().next().value as string)
    } else this.kept.delete(key)
    this.kept.set(key, query)
    return query.read()
  }

  /** A record entered, or came back changed. */
  insert(record: MarketRecord): void {
    for (const query of this.kept.values()) query.changed(record, true)
  }

  /** A record leaves, or is about to change. */
  remove(record: MarketRecord): void {
    for (const query of this.kept.values()) query.changed(record, false)
  }

  stateChanged(record: MarketRecord): void {
    for (const query of this.kept.values()) if (query.byState) query.changed(record, true)
  }

  sourceChanged(record: MarketRecord): void {
    for (const query of this.kept.values()) if (query.bySource) query.changed(record, true)
  }
}

/** Returns the same text for filters that ask for the same. */
export function queryKey({ venue, status, state, source, q, sort }: MarketFilter): string {
  return JSON.stringify([venue, status, state, source, q?.toLowerCase(), sort])
}

let generations = 0

interface KeptQueryOptions extends MarketQueriesOptions {
  /** Marks slots while an answer is mended; all 0 in between. */
  inDoubt: Uint8Array
}

class KeptQuery {
  readonly byState: boolean
  readonly bySource: boolean
  private readonly filter: MarketFilter
  private readonly options: KeptQueryOptions
  private readonly compare: (a: MarketRecord, b: MarketRecord) => number
  private readonly needle: string | undefined
  private sorted: MarketRecord[] | null = null
  private ordering: Ordering = { records: [], generation: 0 }
  /** Records whose place is in doubt, and whether they still exist. */
  private readonly pending = new Map<MarketRecord, boolean>()

  constructor(filter: MarketFilter, options: KeptQueryOptions) {
    this.filter = filter
    this.options = options
    this.byState = filter.state !== undefined
    this.bySource = filter.source !== undefined
    this.needle = filter.q?.toLowerCase()
    this.compare = comparison(filter.sort)
  }

  changed(record: MarketRecord, exists: boolean): void {
    if (this.sorted === null) return
    this.pending.set(record, exists)
    if (this.pending.size > MAX_PENDING) {
      this.sorted = null
      this.pending.clear()
    }
  }

  read(): Ordering {
    if (this.sorted !== null && this.pending.size === 0) return this.ordering
    this.sorted =
      this.sorted === null
        ? Array.from(this.options.all())
            .filter((record) => this.matches(record))
            .sort(this.compare)
        : this.mend(this.sorted)
    this.ordering = { records: this.sorted, generation: ++generations }
    return this.ordering
  }

  /** Takes out what is in doubt and puts back what matches, in one pass without comparing the rest. */
  private mend(sorted: MarketRecord[]): MarketRecord[] {
    const { pending, compare } = this
    const { inDoubt } = this.options
    const arrivals: MarketRecord[] = []
    for (const [record, exists] of pending) {
      inDoubt[record.slot] = 1
      if (exists && this.matches(record)) arrivals.push(record)
    }
    // By slot, not by record: a slot stands for another market only after the one before it was taken out.
    const rest = sorted.filter(({ slot }) => inDoubt[slot] === 0)
    for (const { slot } of pending.keys()) inDoubt[slot] = 0
    pending.clear()
    if (arrivals.length === 0) return rest
    arrivals.sort(compare)
    const mended: MarketRecord[] = []
    let next = 0
    for (const arrival of arrivals) {
      const place = placeOf(rest, arrival, next, compare)
      while (next < place) mended.push(rest[next++] as MarketRecord)
      mended.push(arrival)
    }
    while (next < rest.length) mended.push(rest[next++] as MarketRecord)
    return mended
  }

  private matches(record: MarketRecord): boolean {
    return matchesFilter(this.filter, this.needle, record, this.options)
  }
}

/** Whether a market matches a filter; `needle` is the filter's `q` in lower case. */
export function matchesFilter(
  { venue, status, state, source }: Omit<MarketFilter, 'sort'>,
  needle: string | undefined,
  record: MarketRecord,
  now: Pick<MarketQueriesOptions, 'state' | 'source'>
): boolean {
  const { market } = record
  if (venue !== undefined && market.venue !== venue) return false
  if (status !== undefined && market.status !== status) return false
  if (state !== undefined && now.state(record) !== state) return false
  if (source !== undefined && now.source(record) !== source) return false
  if (needle === undefined) return true
  return market.title.toLowerCase().includes(needle) || market.symbol.toLowerCase().includes(needle)
}

/** Returns the index, from `from` on, of the first record that does not come before `record`. */
function placeOf(
  sorted: readonly MarketRecord[],
  record: MarketRecord,
  from: number,
  compare: (a: MarketRecord, b: MarketRecord) => number
): number {
  let low = from
  let high = sorted.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if (compare(sorted[middle] as MarketRecord, record) < 0) low = middle + 1
    else high = middle
  }
  return low
}

/** Orders by the sort's key, then by id, so that the order is total. Markets without the key come last. */
function comparison(sort: MarketSort): (a: MarketRecord, b: MarketRecord) => number {
  const byId = (a: MarketRecord, b: MarketRecord) => (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  if (sort === 'id') return byId
  const key = SORT_KEYS[sort]
  return (a, b) => {
    const keyOfA = key(a.market)
    const keyOfB = key(b.market)
    if (keyOfA < keyOfB) return -1
    if (keyOfA > keyOfB) return 1
    return byId(a, b)
  }
}

const LAST = '\uffff'
/** Only an order, never money: a double is enough to rank volumes. */
const SORT_KEYS: Record<Exclude<MarketSort, 'id'>, (market: Market) => string | number> = {
  title: ({ title }) => title,
  closeTime: ({ closeTime }) => closeTime ?? LAST,
  '-volume24h': ({ volume24h }) => (volume24h === null ? 1 : -Number(volume24h)),
  '-volume': ({ volume }) => (volume === null ? 1 : -Number(volume))
}
