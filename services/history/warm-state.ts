import { createHash } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { constants, createGzip, gunzip, type ZlibOptions } from 'node:zlib'
import type { FastifyBaseLogger } from 'fastify'
import type { Venue } from '../../schemas/common.ts'
import { EVENT_SCHEMAS } from '../../schemas/event.ts'
import { MARKET_SCHEMAS } from '../../schemas/market.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import { hasEnded } from '../venue/catalogue.ts'
import { makeFolder } from './storage/data-dir.ts'
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

interface Header {
  version: number
  /** Of what a market is: a file of another Crossbook may have markets that are none here. */
  shape: string
  savedAtMs: number
  markets: number
}

const FILE = 'last-state.ndjson.gz'
const VERSION = 2
const SHAPE = createHash('sha256')
  .update(JSON.stringify([MARKET_SCHEMAS, EVENT_SCHEMAS]))
  .digest('hex')
const EVERY_MS = 30_000
/** Markets that are written, or read, in one turn: some two milliseconds. */
const SLICE = 64
const NEWLINE = 0x0a
/** In pieces of the usual size, unpacking takes as long as reading what was unpacked. */
const CHUNK_BYTES = 8 << 20

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
    makeFolder(dataDir)
    const path = join(dataDir, FILE)
    const draft = `${path}.tmp`
    const savedAtMs = now()
    const all = [...store.records()]
    // Where there is less room at the next start, those that ended are left out first.
    const records = [
      ...all.filter(({ market }) => !hasEnded(market)),
      ...all.filter(({ market }) => hasEnded(market))
    ]
    const header: Header = { version: VERSION, shape: SHAPE, savedAtMs, markets: records.length }
    try {
      await pipeline(
        Readable.from(linesOf(store, header, records)),
        createGzip({ level: constants.Z_BEST_SPEED }),
        createWriteStream(draft, { flush: true })
      )
      await rename(draft, path)
    } catch (error) {
      await rm(draft, { force: true })
      throw error
    }
    await syncFolder(dataDir)
    this.state.savedAtMs = savedAtMs
    this.state.markets = records.length
  }
}

export interface LoadWarmStateOptions {
  dataDir: string
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
  dataDir,
  store,
  nowMs,
  log
}: LoadWarmStateOptions): Promise<WarmMarkets> {
  const loaded = new Map<string, Venue>()
  const none = { ageMs: null, skipped: 0, ignoredFiles: 0 }
  const path = join(dataDir, FILE)
  const packed = await readFile(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') log.warn({ err: error, path }, 'the last state cannot be read')
    return null
  })
  if (packed === null) return new WarmMarkets(store, loaded, none)
  try {
    // All of it first: whether a file is whole shows at its end.
    const lines = splitLines(
      await promisify<Buffer, ZlibOptions, Buffer>(gunzip)(packed, { chunkSize: CHUNK_BYTES })
    )
    const header = JSON.parse(lines.next().value ?? '') as Header
    if (header.version !== VERSION || header.shape !== SHAPE) throw new Error('it is of another Crossbook')
    let [skipped, taken] = [0, 0]
    for (const line of lines) {
      const warm = parseLine(line)
      if (warm !== null && putWarmMarket(store, warm) === 'put') loaded.set(warm.market.id, warm.market.venue)
      else skipped++
      if (++taken % SLICE === 0) await nextTurn()
    }
    const ageMs = nowMs - header.savedAtMs
    log.info({ markets: loaded.size, skipped, ageMs }, 'the last state was loaded')
    return new WarmMarkets(store, loaded, { ageMs, skipped, ignoredFiles: 0 })
  } catch (error) {
    log.warn({ err: error, path }, 'the file of the last state is none: it is ignored')
    return new WarmMarkets(store, loaded, { ...none, ignoredFiles: 1 })
  }
}

async function* linesOf(
  store: SnapshotStore,
  header: Header,
  records: readonly MarketRecord[]
): AsyncGenerator<string> {
  const events = new Set<string>()
  yield `${JSON.stringify(header)}\n`
  for (let from = 0; from < records.length; from += SLICE) {
    let text = ''
    for (const record of records.slice(from, from + SLICE)) {
      // Removed meanwhile, and its slot may be another's.
      if (store.get(record.id) !== record) continue
      text += `${JSON.stringify(warmMarketOf(store, record, headerOf(store, record, events)))}\n`
    }
    if (text !== '') yield text
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

function* splitLines(bytes: Buffer): Generator<string, undefined> {
  for (let from = 0; from < bytes.length; ) {
    const found = bytes.indexOf(NEWLINE, from)
    const end = found < 0 ? bytes.length : found
    yield bytes.toString('utf8', from, end)
    from = end + 1
  }
}

/** Returns the market of a line; null if it is none. */
function parseLine(line: string): WarmMarket | null {
  try {
    const warm = JSON.parse(line) as WarmMarket
    const isMarket =
      typeof warm.market.id === 'string' && [warm.bids, warm.asks, warm.reasons].every(Array.isArray)
    return isMarket ? warm : null
  } catch {
    return null
  }
}

/** A rename is on the disk once its folder is. */
async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}
