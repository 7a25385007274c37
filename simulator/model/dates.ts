const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September'].concat(
  ['October', 'November', 'December']
)

/** Returns the ways in which titles and tickers write the UTC day of an instant. */
export function dateOf(ms: number) {
  const date = new Date(ms)
  const month = MONTHS[date.getUTCMonth()] ?? ''
  const year = date.getUTCFullYear()
  const day = date.getUTCDate()
  const yearMonth = `${String(year).slice(2)}${month.slice(0, 3).toUpperCase()}`
  return {
    month,
    year,
    yearMonth,
    code: `${yearMonth}${String(day).padStart(2, '0')}`,
    iso: date.toISOString().slice(0, 10),
    monthDay: `${month} ${day}`,
    long: `${month} ${day}, ${year}`,
    endMs: Date.UTC(year, date.getUTCMonth(), day, 22)
  }
}

/** Returns the time of day as titles write it: `6:15AM`. */
export function clock(ms: number): string {
  const date = new Date(ms)
  const hour = date.getUTCHours()
  const minute = String(date.getUTCMinutes()).padStart(2, '0')
  return `${hour % 12 === 0 ? 12 : hour % 12}:${minute}${hour < 12 ? 'AM' : 'PM'}`
}

/** Returns the time of day as tickers write it: `0615`. */
export function clockCode(ms: number): string {
  return new Date(ms).toISOString().slice(11, 16).replace(':', '')
}
