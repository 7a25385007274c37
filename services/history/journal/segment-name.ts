const SUFFIX = '.journal'
const SEGMENT = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-(\d{6})\.journal$/
const COUNTERS = 1_000_000

/**
 * Returns the name of a new segment: the UTC time at which it starts and a counter. It sorts behind `last`, even where a
 * clock went back, since names say in which order records were appended.
 */
export function segmentName(startMs: number, last: string | null): string {
  const time = new Date(startMs).toISOString().replace(/[-:.]/g, '')
  const name = `${time}-000000${SUFFIX}`
  if (last === null || name > last) return name
  const [lastTime, counter] = last.slice(0, -SUFFIX.length).split('-')
  return `${lastTime}-${String((Number(counter) + 1) % COUNTERS).padStart(6, '0')}${SUFFIX}`
}

/** Returns the time in a segment's name, epoch milliseconds; null for the name of anything else. */
export function segmentStartMs(name: string): number | null {
  const parts = SEGMENT.exec(name)?.slice(1).map(Number)
  if (parts === undefined) return null
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, ms = 0] = parts
  return Date.UTC(year, month - 1, day, hour, minute, second, ms)
}
