/** A tenth of the interval, to either side: gateways that were started together do not all renew at once. */
const JITTER_SHARE = 0.1

/** Returns how long to wait for the next run, milliseconds; `random` is from 0 to below 1. */
export function nextDelayMs(intervalMs: number, random: () => number): number {
  return Math.round(intervalMs * (1 - JITTER_SHARE + 2 * JITTER_SHARE * random()))
}
