import { randomUUID } from 'node:crypto'
import { VENUES, type Venue } from '../../schemas/common.ts'
import type { GapRecord, HistoryStore, SessionRecord } from './records.ts'

export interface SessionsOptions {
  /** Hears of the time between the run before and this one. */
  onGap: (gap: GapRecord) => void
  now: () => number
}

/** This run as the history knows it, and the hole that the run before left. */
export class Sessions {
  readonly id = randomUUID()
  readonly startedAtMs: number
  private readonly options: SessionsOptions
  private heartbeatAtMs: number

  constructor(options: SessionsOptions) {
    this.options = options
    this.startedAtMs = options.now()
    this.heartbeatAtMs = this.startedAtMs
  }

  /**
   * Reads how the run before ended. Its gap is told before this run is written, so that a crash in between tells it
   * again under the same id.
   */
  async open(history: HistoryStore): Promise<void> {
    const known = await history.sessions({ fromMs: 0, toMs: this.startedAtMs + 1 })
    const before = known.filter(({ sessionId }) => sessionId !== this.id)
    const last = before.sort((a, b) => lastSignOf(b) - lastSignOf(a))[0]
    if (last === undefined) return
    for (const venue of VENUES) this.options.onGap(restartGap(last, venue, this.startedAtMs))
  }

  /** Returns the run's row, with everything up to `recordedToMs` written. */
  beat(recordedToMs: number): SessionRecord {
    this.heartbeatAtMs = Math.max(this.heartbeatAtMs, recordedToMs)
    return this.row(null)
  }

  /** Returns the row of a run that stopped in order at `atMs`. */
  end(atMs: number): SessionRecord {
    this.heartbeatAtMs = Math.max(this.heartbeatAtMs, atMs)
    return this.row(this.heartbeatAtMs)
  }

  private row(endedAtMs: number | null): SessionRecord {
    const { id, startedAtMs, heartbeatAtMs } = this
    return { sessionId: id, startedAtMs, heartbeatAtMs, endedAtMs }
  }
}

function lastSignOf({ heartbeatAtMs, endedAtMs }: SessionRecord): number {
  return endedAtMs ?? heartbeatAtMs
}

function restartGap(last: SessionRecord, venue: Venue, startedAtMs: number): GapRecord {
  const fromMs = Math.min(lastSignOf(last), startedAtMs)
  const how =
    last.endedAtMs === null
      ? 'The run before ended without a word; what it had not yet written is lost too'
      : 'The run before was stopped in order'
  return {
    id: `restart:${last.sessionId}:${venue}`,
    venue,
    kind: 'restart',
    connection: null,
    subscription: null,
    fromSequence: null,
    toSequence: null,
    marketIds: null,
    startedAtMs: fromMs,
    detectedAtMs: startedAtMs,
    endedAtMs: startedAtMs,
    recoveredBy: null,
    decidedAtMs: null,
    detail: `${how}: nothing was recorded for ${startedAtMs - fromMs} ms.`
  }
}
