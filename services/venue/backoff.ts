/**
 * Returns how long to wait before attempt `attempt` (from 0): full jitter over an exponentially growing ceiling,
 * so that many clients that lost the venue together do not come back together.
 */
export function backoffMs(attempt: number, baseMs: number, capMs: number, random: () => number): number {
  return random() * Math.min(capMs, baseMs * 2 ** Math.min(attempt, 30))
}
