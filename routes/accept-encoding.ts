export type Encoding = 'gzip' | 'identity'

/** Clients send a handful of different headers; more than this are not remembered. */
const KNOWN_MAX = 100
const known = new Map<string, Encoding>()

/**
 * Returns in which coding a client wants its answer, by RFC 9110 section 12.5.3: gzip where it is accepted at
 * least as much as identity. Where neither is acceptable the answer goes out as it is.
 */
export function preferredEncoding(header: string | undefined): Encoding {
  if (header === undefined) return 'identity'
  const before = known.get(header)
  if (before !== undefined) return before
  const encoding = negotiate(header)
  if (known.size < KNOWN_MAX) known.set(header, encoding)
  return encoding
}

function negotiate(header: string): Encoding {
  const weights = new Map<string, number>()
  for (const entry of header.toLowerCase().split(',')) {
    const [coding = '', ...parameters] = entry.split(';').map((part) => part.trim())
    const q = parameters.find((parameter) => parameter.startsWith('q='))
    const weight = q === undefined ? 1 : Number(q.slice(2))
    if (coding !== '') weights.set(coding === 'x-gzip' ? 'gzip' : coding, Number.isNaN(weight) ? 0 : weight)
  }
  const gzip = weights.get('gzip') ?? weights.get('*') ?? 0
  // Identity that is not named is acceptable, but a client that names gzip wants gzip.
  const identity = weights.get('identity') ?? 0
  return gzip > 0 && gzip >= identity ? 'gzip' : 'identity'
}
