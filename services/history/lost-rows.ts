import type { Venue } from '../../schemas/common.ts'
import type { GapRecord } from './records.ts'
import type { Loss } from './waiting-rows.ts'

/** More markets than this are told as all of the venue. */
const MARKETS_MAX = 2_000

export interface LostRowsOptions {
  sessionId: string
  /** Rows that may wait: an episode is over once fewer than half of that do. */
  queueMax: number
  write: (gap: GapRecord) => void
  now: () => number
}

interface Episode {
  id: string
  detectedAtMs: number
  fromMs: number
  toMs: number
  conflated: number
  dropped: number
  marketIds: Set<string> | null
}

/** Tells what the queue could not keep as gaps: one a venue for each time that it overflowed, with exact times and counts. */
export class LostRows {
  private readonly options: LostRowsOptions
  private readonly episodes = new Map<Venue, Episode>()
  private number = 0

  constructor(options: LostRowsOptions) {
    this.options = options
  }

  lost(marketId: string, atMs: number, how: Loss): void {
    const venue: Venue = marketId.startsWith('kalshi:') ? 'kalshi' : 'polymarket'
    let episode = this.episodes.get(venue)
    if (episode === undefined) {
      const id = `overflow:${this.options.sessionId}:${venue}:${this.number++}`
      const detectedAtMs = this.options.now()
      episode = { id, detectedAtMs, fromMs: atMs, toMs: atMs, conflated: 0, dropped: 0, marketIds: new Set() }
      this.episodes.set(venue, episode)
    }
    episode[how]++
    if (atMs < episode.fromMs) episode.fromMs = atMs
    if (atMs > episode.toMs) episode.toMs = atMs
    episode.marketIds?.add(marketId)
    if (episode.marketIds !== null && episode.marketIds.size > MARKETS_MAX) episode.marketIds = null
  }

  /** Ends the episodes once the queue has room again. */
  progress(waiting: number): void {
    if (this.episodes.size > 0 && waiting < this.options.queueMax / 2) this.end()
  }

  /** Writes what was lost up to now as it stands. */
  end(): void {
    const { write, now } = this.options
    for (const [venue, episode] of this.episodes) write(gapOf(venue, episode, now()))
    this.episodes.clear()
  }
}

/** The last lost row is inside: half-open, the gap ends a millisecond after it. */
function gapOf(venue: Venue, episode: Episode, decidedAtMs: number): GapRecord {
  const { id, detectedAtMs, fromMs, toMs, conflated, dropped, marketIds } = episode
  return {
    id,
    venue,
    kind: 'recorder_overflow',
    connection: null,
    subscription: null,
    fromSequence: null,
    toSequence: null,
    marketIds: marketIds === null ? null : [...marketIds],
    startedAtMs: fromMs,
    detectedAtMs,
    endedAtMs: toMs + 1,
    recoveredBy: 'none',
    decidedAtMs,
    detail: `${conflated + dropped} rows were not written: ${conflated} gave way to newer ones, ${dropped} had no room.`
  }
}
