import type { Market } from '../../schemas/market.ts'
import type { BookDifference } from '../integrity/book-diff.ts'
import type { HandoverReport } from './handover.ts'

export interface RecycleOptions {
  /** Ends the recycle: what is swapped stays so, what is not is left as it was. */
  signal: AbortSignal
  /** Called with what is being done, in a few words. */
  onProgress: (step: string) => void
}

/** How one connection was handed over to a new one, or why it was kept. */
export interface ConnectionRecycle extends Omit<HandoverReport, 'differed'> {
  name: string
  differed: { marketId: string; difference: BookDifference }[]
}

/** What a recycle of one venue did. */
export interface VenueRecycle {
  /** Empty where books are polled. */
  connections: ConnectionRecycle[]
  /** The followed markets by id, before the fresh discovery and after it. */
  before: ReadonlyMap<string, Market>
  after: ReadonlyMap<string, Market>
  /** Why the discovery failed; null when it did not. */
  discoveryError: string | null
}

const ENDED = 'the run was ended'

/** Returns what a discovery came to, or that the run was ended before it came to anything. */
export function unlessEnded(
  signal: AbortSignal,
  discover: () => Promise<string | null>
): Promise<string | null> {
  if (signal.aborted) return Promise.resolve(ENDED)
  return new Promise((resolve, reject) => {
    const end = () => resolve(ENDED)
    signal.addEventListener('abort', end, { once: true })
    discover()
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', end))
  })
}
