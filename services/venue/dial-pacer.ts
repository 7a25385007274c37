import { TokenBucket } from './token-bucket.ts'

export interface DialPacerOptions {
  /** Connections that one venue is asked for each second; as many may be asked for at once. */
  dialsPerSecond: number
  steadyNow?: () => number
}

/**
 * Spaces the dialling of all connections to one venue: when forty shards are cut at once, they come back one after
 * the other and are no storm of their own.
 */
export class DialPacer {
  private readonly bucket: TokenBucket

  constructor({ dialsPerSecond, steadyNow = performance.now.bind(performance) }: DialPacerOptions) {
    this.bucket = new TokenBucket({
      ratePerSecond: dialsPerSecond,
      capacity: Math.max(1, dialsPerSecond),
      maxWaiting: Number.POSITIVE_INFINITY,
      now: steadyNow
    })
  }

  /** Resolves when the caller may dial; rejects when aborted. */
  turn(signal: AbortSignal): Promise<void> {
    return this.bucket.take(1, signal)
  }
}
