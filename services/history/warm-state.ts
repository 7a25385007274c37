import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { FastifyBaseLogger } from 'fastify'
import type { Venue } from '../../schemas/common.ts'
import { EVENT_SCHEMAS } from '../../schemas/event.ts'
import { MARKET_SCHEMAS } from '../../schemas/market.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import { hasEnded } from '../venue/catalogue.ts'
import {
  openState,
  replaceStateFile,
  type StateBlock,
  type StateBytes,
  type StateHeader
} from './warm-file.ts'
import { WarmLevels } from './warm-levels.ts'
import { putWarmMarket, type WarmMarket, warmMarketOf } from './warm-market.ts'

export interface WarmStateWriterOptions {
  dataDir: string
  store: SnapshotStore
  now: () => number
  log: Pick<FastifyBaseLogger, 'warn'>
  everyMs?: number
}

export interface WarmStateStatus {
  /** Null before the first time. */
  savedAtMs: number | null
  /** In the last file. */
  markets: number
  failures: number
}

const VERSION = 3
const SHAPE = createHash('sha256')
  .update(JSON.stringify([MARKET_SCHEMAS, EVENT_SCHEMAS]))
  .digest('hex')
const EVERY_MS = 30_000
/** Markets that are written, or read, in one turn: some two milliseconds. */
const SLICE = 64

/** Saves the last state of everything now and then, for the next start. A file replaces the one before as a whole. */
export class WarmStateWriter {
  private readonly options: Required<WarmStateWriterOptions>
  private readonly state: WarmStateStatus = { savedAtMs: null, markets: 0, failures: 0 }
  private saving: Promise<void> | null = null
  private timer: NodeJS.Timeout | null = null

  constructor(options: WarmStateWriterOptions) {
    this.options = { everyMs: EVERY_MS, ...options }
  }

  /** To be called after the last state was loaded: the first file replaces it. */
  start(): void {
    this.timer = setInterval(() => void this.save(), this.options.everyMs)
    this.timer.unref()
  }

  /** Saves once more, and ends. A start that failed has nothing newer to say than the file. */
  async stop(): Promise<void> {
    if (this.timer === null) return
    clearInterval(this.timer)
    this.timer = null
    await this.saving
    await this.save()
  }

  /** Saves now; one that is under way is waited for. Never rejects: a failure is counted and logged. */
  save(): Promise<void> {
    this.saving ??= this.write()
      .catch((error: unknown) => {
        this.state.failures++
        this.options.log.warn(
          { err: error },
          'the last state was not saved: a restart begins with an older one'
        )
      })
      .finally(() => {
        this.saving = null
      })
    return this.saving
  }

  status(): WarmStateStatus {
    return { ...this.state }
  }

  private async write(): Promise<void> {
    const { dataDir, store, now } = this.options
    // With nothing to say, what was saved before is worth more.
    if (store.size === 0) return
    const savedAtMs = now()
    const all = [...store.records()]
    // Where there is less room at the next start, those that ended are left out first.
    const records = [
      ...all.filter(({ market }) => !hasEnded(market)),
      ...all.filter(({ market }) => hasEnded(market))
    ]
    const header: StateHeader = { version: VERSION, shape: SHAPE, savedAtMs }
    await replaceStateFile(dataDir, header, blocksOf(store, records))
    this.state.savedAtMs = savedAtMs
    this.state.markets = records.length
  }
}

export interface LoadWarmStateOptions {
  state: StateBytes
  store: SnapshotStore
  nowMs: number
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
}

/** The markets that a start began with, until the feeds have taken them over. */
export class WarmMarkets {
  /** How old what was loaded is; null when there was nothing. */
  readonly ageMs: number | null
  /** Markets in the file that could not be put into the store. */
  readonly skipped: number
  /** Files that were there and were no last state of ours: 0 or 1. */
  readonly ignoredFiles: number
  private readonly store: SnapshotStore
  private readonly unclaimed: Map<string, Venue>

  constructor(
    store: SnapshotStore,
    loaded: Map<string, Venue>,
    { ageMs, skipped, ignoredFiles }: Pick<WarmMarkets, 'ageMs' | 'skipped' | 'ignoredFiles'>
  ) {
    this.store = store
    this.unclaimed = loaded
    this.ageMs = ageMs
    this.skipped = skipped
    this.ignoredFiles = ignoredFiles
  }

  /** Loaded markets that no venue has claimed yet. */
  get size(): number {
    return this.unclaimed.size
  }

  /**
   * Removes the loaded markets of a venue that it does not claim, once: to be called after its discovery. Returns how many.
   */
  releaseUnclaimed(venue: Venue, isClaimed: (id: string) => boolean): number {
    let released = 0
    for (const [id, of] of this.unclaimed) {
      if (of !== venue) continue
      this.unclaimed.delete(id)
      if (isClaimed(id) || this.store.get(id) === undefined) continue
      this.store.remove(id)
      released++
    }
    return released
  }
}

/**
 * Puts the last saved state into the store, before the feeds start: books are `disconnected`, with the times that they
 * had. A file that is torn or no last state is left aside as a whole, with a warning.
 */
export async function loadWarmState({
  state,
  store,
  nowMs,
  log
}: LoadWarmStateOptions): Promise<WarmMarkets> {
  const loaded = new Map<string, Venue>()
  const none = { ageMs: null, skipped: 0, ignoredFiles: 0 }
  if ('missing' in state) return new WarmMarkets(store, loaded, none)
  try {
    if ('error' in state) throw state.error
    const { header, blocks } = openState(state.bytes)
    if (header.version !== VERSION || header.shape !== SHAPE) throw new Error('it is of another Crossbook')
    let skipped = 0
    for (const { rows, levels } of blocks) {
      const levelsOfBlock = new WarmLevels(levels)
      for (const row of rows) {
        if (isWarmMarket(row) && putWarmMarket(store, row, levelsOfBlock) === 'put')
          loaded.set(row.market.id, row.market.venue)
        else skipped++
      }
      await nextTurn()
    }
    const ageMs = nowMs - header.savedAtMs
    log.info({ markets: loaded.size, skipped, ageMs }, 'the last state was loaded')
    return new WarmMarkets(store, loaded, { ageMs, skipped, ignoredFiles: 0 })
  } catch (error) {
    for (const id of loaded.keys()) store.remove(id)
    loaded.clear()
    // One sentence: it may be zlib's error, and its stack says nothing of the file.
    const why = error instanceof Error ? error.message : String(error)
    log.warn(`the last state in ${state.path} cannot be used (${why}): it is ignored`)
    return new WarmMarkets(store, loaded, { ...none, ignoredFiles: 1 })
  }
}

async function* blocksOf(store: SnapshotStore, records: readonly MarketRecord[]): AsyncGenerator<StateBlock> {
  const events = new Set<string>()
  for (let from = 0; from < records.length; from += SLICE) {
    const rows: WarmMarket[] = []
    const levels = new WarmLevels()
    for (const record of records.slice(from, from + SLICE)) {
      // Removed meanwhile, and its slot may be another's.
      if (store.get(record.id) !== record) continue
      rows.push(warmMarketOf(store, record, headerOf(store, record, events), levels))
    }
    yield { rows, levels: levels.written }
    await nextTurn()
  }
}

/** Returns the header of a market's event, once. */
function headerOf(store: SnapshotStore, { market }: MarketRecord, told: Set<string>): WarmMarket['event'] {
  const { eventId } = market
  if (eventId === null || told.has(eventId)) return null
  told.add(eventId)
  const event = store.getEvent(eventId)
  if (event === undefined) return null
  const { marketIds: _, ...header } = event
  return header
}

function isWarmMarket(row: unknown): row is WarmMarket {
  const { market, levels, reasons } = (row ?? {}) as Partial<WarmMarket>
  return typeof market?.id === 'string' && levels != null && Array.isArray(reasons)
}
