import {
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  ConstantBackoff,
  circuitBreaker,
  handleAll
} from 'cockatiel'
import { UpstreamUnavailableError } from '../errors.ts'
import type { BreakerState, BreakerStatus } from './port.ts'

/** When a breaker opens, and for how long. */
export interface BreakerLimits {
  /** Failures in a row that open it. */
  failures: number
  /** How long it stays open before one trial is let through. */
  openMs: number
}

/** Returns what the settings say of every breaker. */
export function breakerLimits(config: { BREAKER_FAILURES: number; BREAKER_OPEN_MS: number }): BreakerLimits {
  return { failures: config.BREAKER_FAILURES, openMs: config.BREAKER_OPEN_MS }
}

export interface BreakerOptions extends Partial<BreakerLimits> {
  /** What is behind it, for the error and the log. */
  name: string
  /** Whether an error says that the other side is down; one that is an answer counts as a success. */
  isFailure?: (error: unknown) => boolean
  onChange?: (state: BreakerState) => void
  now?: () => number
  /** For durations: a clock that never jumps, milliseconds. */
  steadyNow?: () => number
}

const STATES = {
  [CircuitState.Closed]: 'closed',
  [CircuitState.HalfOpen]: 'half_open',
  [CircuitState.Open]: 'open',
  [CircuitState.Isolated]: 'open'
} as const satisfies Record<CircuitState, BreakerState>

/**
 * A circuit breaker around one host or one connection's dialling: after so many failures in a row nothing is tried
 * for a while, then one trial decides whether it closes.
 */
export class Breaker {
  private readonly options: Required<BreakerOptions>
  private readonly policy: CircuitBreakerPolicy
  private openedAtMs = Number.NEGATIVE_INFINITY
  private changedAtMs: number | null = null
  private opened = 0
  private successes = 0
  private failures = 0
  private rejected = 0
  private lastFailure = ''

  constructor(options: BreakerOptions) {
    this.options = {
      failures: 5,
      openMs: 10_000,
      isFailure: () => true,
      onChange: () => {},
      now: Date.now,
      steadyNow: performance.now.bind(performance),
      ...options
    }
    this.policy = circuitBreaker(handleAll, {
      breaker: new ConsecutiveBreaker(this.options.failures),
      // The library measures by the wall clock, which jumps: it lets a trial through at any time, and `waitMs` holds
      // callers back until ours says that it is time.
      halfOpenAfter: new ConstantBackoff(Number.NEGATIVE_INFINITY)
    })
    this.policy.onStateChange((state) => this.changed(state))
  }

  get name(): string {
    return this.options.name
  }

  get state(): BreakerState {
    return STATES[this.policy.state]
  }

  /** How long nothing can be tried, milliseconds; 0 when something can. */
  get waitMs(): number {
    if (this.state !== 'open') return 0
    const { openMs, steadyNow } = this.options
    return Math.max(0, this.openedAtMs + openMs - steadyNow())
  }

  /**
   * Does the work unless the breaker is open, or half open with its trial under way.
   *
   * @throws {UpstreamUnavailableError} at once where it is; else what the work throws
   */
  async run<T>(work: () => Promise<T>): Promise<T> {
    this.assertPasses()
    const { isFailure } = this.options
    const outcome = await this.policy.execute(async () => {
      try {
        const value = await work()
        this.successes++
        return { value }
      } catch (error) {
        if (isFailure(error)) {
          this.failures++
          this.lastFailure = error instanceof Error ? error.message : String(error)
          throw error
        }
        this.successes++
        return { error }
      }
    })
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }

  /** @throws {UpstreamUnavailableError} when nothing can be tried now */
  assertPasses(): void {
    const { waitMs } = this
    if (waitMs === 0 && this.state !== 'half_open') return
    this.rejected++
    throw new UpstreamUnavailableError(this.options.name, waitMs, this.lastFailure)
  }

  status(): BreakerStatus {
    const { state, opened, successes, failures, rejected, changedAtMs } = this
    return { state, opened, successes, failures, rejected, changedAtMs }
  }

  private changed(state: CircuitState): void {
    const { now, steadyNow, onChange } = this.options
    this.changedAtMs = now()
    if (state === CircuitState.Open) {
      this.opened++
      this.openedAtMs = steadyNow()
    }
    onChange(STATES[state])
  }
}
