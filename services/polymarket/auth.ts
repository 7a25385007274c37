const USER_AGENT = 'crossbook'

/** Returns the headers of an upgrade. Market data needs no keys, but the venue's gate refuses nameless clients. */
export function upgradeHeaders(): Record<string, string> {
  return { 'user-agent': USER_AGENT }
}
