/**
 * Returns how long to wait before an attempt (1 is the first): anywhere below a bound that doubles up to a cap, so that many
 * clients that lost one gateway do not come back at the same instant.
 */
export function backoffMs(attempt: number, minMs: number, maxMs: number, random: () => number): number {
  return random() * Math.min(maxMs, minMs * 2 ** (attempt - 1))
}
