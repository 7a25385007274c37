/** Paths of the venue below the bases that the settings give. */
export const GAMMA_PATHS = {
  events: '/events/keyset',
  markets: '/markets/keyset'
} as const

export const CLOB_PATHS = {
  books: '/books'
} as const

/** The keep-alive of the market channel: texts, not protocol pings. */
export const PING = 'PING'
export const PONG = 'PONG'
