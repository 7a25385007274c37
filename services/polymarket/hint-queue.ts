import type { Counters } from '../venue/counters.ts'
import { CONDITION_IDS_PER_CALL } from './rest.ts'

export interface HintQueueOptions {
  /** Looks markets up and takes over what it finds; returns the ids that need no further look. Never rejects. */
  lookUp: (conditionIds: readonly string[]) => Promise<ReadonlySet<string>>
  counters: Counters
  /** Milliseconds on a clock that never jumps. */
  steadyNow: () => number
}

interface Waiting {
  attempt: number
  dueAtMs: number
}

/** A hint comes before Gamma knows: it lags by seconds to minutes. */
const FIRST_LOOK_MS = 1_000
const MAX_LOOKS = 6
const PAUSE_MS = 2_000
/** More hints than this at once are left to the next discovery. */
const MAX_WAITING = 1_000

/**
 * Markets that a message hinted at, each once, until REST was asked about them: a hint never changes anything by
 * itself. One call at a time, with a pause after each.
 */
export class HintQueue {
  private readonly options: HintQueueOptions
  private readonly waiting = new Map<string, Waiting>()
  private isLooking = false
  private lookedAtMs = Number.NEGATIVE_INFINITY

  constructor(options: HintQueueOptions) {
    this.options = options
  }

  add(conditionId: string): void {
    if (this.waiting.has(conditionId)) return
    if (this.waiting.size === MAX_WAITING) this.options.counters.observe('hint_left_to_discovery')
    else this.waiting.set(conditionId, { attempt: 0, dueAtMs: this.options.steadyNow() + FIRST_LOOK_MS })
  }

  async tick(): Promise<void> {
    const nowMs = this.options.steadyNow()
    if (this.isLooking || this.waiting.size === 0 || nowMs - this.lookedAtMs < PAUSE_MS) return
    const due = [...this.waiting]
      .filter(([, { dueAtMs }]) => dueAtMs <= nowMs)
      .slice(0, CONDITION_IDS_PER_CALL)
    if (due.length === 0) return
    this.isLooking = true
    this.lookedAtMs = nowMs
    const done = await this.options.lookUp(due.map(([conditionId]) => conditionId))
    this.isLooking = false
    for (const [conditionId, { attempt }] of due) {
      if (done.has(conditionId) || attempt + 1 === MAX_LOOKS) this.waiting.delete(conditionId)
      else {
        const dueAtMs = this.options.steadyNow() + PAUSE_MS * 2 ** attempt
        this.waiting.set(conditionId, { attempt: attempt + 1, dueAtMs })
      }
    }
  }

  stop(): void {
    this.waiting.clear()
  }
}
