import type { FastifyBaseLogger } from 'fastify'
import { withoutPrivate } from '../integrity/sample.ts'

const EVERY_MS = 60_000
const SAMPLE_BYTES = 300

/** Logs frames that were not understood: at most one a minute for each reason, with its beginning as a sample. */
export class FrameLog {
  private readonly log: Pick<FastifyBaseLogger, 'warn'>
  private readonly now: () => number
  private readonly loggedAtMs = new Map<string, number>()

  /** `now` need not be the wall clock: only the time between two frames counts. */
  constructor(log: Pick<FastifyBaseLogger, 'warn'>, now: () => number = performance.now.bind(performance)) {
    this.log = log
    this.now = now
  }

  note(reason: string, frame: Buffer): void {
    const nowMs = this.now()
    if (nowMs - (this.loggedAtMs.get(reason) ?? Number.NEGATIVE_INFINITY) < EVERY_MS) return
    this.loggedAtMs.set(reason, nowMs)
    const sample = withoutPrivate(frame.toString('latin1', 0, SAMPLE_BYTES))
    this.log.warn({ reason, bytes: frame.length, sample }, 'frame not understood')
  }
}
