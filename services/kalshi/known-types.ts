/** Types that are known and change no book; each is counted under its own name. */
export const KNOWN_TYPES: ReadonlySet<string> = new Set([
  'subscribed',
  'unsubscribed',
  'ok',
  'error',
  'market_lifecycle_v2',
  'event_lifecycle',
  'event_fee_update',
  'multivariate_market_lifecycle',
  'ticker',
  'trade'
])

/** Reasons under which a frame is ignored because we do not know what it says. */
export const NOT_UNDERSTOOD: ReadonlySet<string> = new Set([
  'not_json',
  'not_utf8',
  'malformed',
  'unknown_type',
  'drift'
])
