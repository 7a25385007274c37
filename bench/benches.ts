import type { Bench } from './figure.ts'
import { decodeKalshi } from './ingest/decode-kalshi.ts'
import { decodePolymarket } from './ingest/decode-polymarket.ts'
import { paced } from './ingest/paced.ts'

/** Every bench by the name that it is run by. */
export const BENCHES = {
  'decode-kalshi': decodeKalshi,
  'decode-polymarket': decodePolymarket,
  paced
} as const satisfies Record<string, Bench>
