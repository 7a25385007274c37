/** So many contracts are added to a stamp, so that it is told from a size that a book began with. */
const STAMP_BASE = 10_000_000
/** Eight digits of seconds, a point, six of microseconds. */
export const STAMP_LENGTH = 15

/** Reads the clock that all processes of a machine share, in microseconds. */
export function nowMicros(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}

/** Returns a time as the size of a level: the decimal text survives the book and comes out where the size does. */
export function stampOf(micros: number): string {
  const seconds = Math.floor(micros / 1e6)
  return `${STAMP_BASE + seconds}.${String(micros - seconds * 1e6).padStart(6, '0')}`
}

/** Returns the time that a size stands for; null for a size that is no stamp. */
export function timeOfStamp(size: string): number | null {
  const seconds = Number(size) - STAMP_BASE
  return seconds < 0 ? null : Math.round(seconds * 1e6)
}
