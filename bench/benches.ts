import { book } from './book/book.ts'
import { memory } from './book/memory.ts'
import type { Bench } from './figure.ts'
import { history } from './history/history.ts'
import { decodeKalshi } from './ingest/decode-kalshi.ts'
import { decodePolymarket } from './ingest/decode-polymarket.ts'
import { paced } from './ingest/paced.ts'
import { proofs } from './proofs/proofs.ts'
import { latency } from './serve/latency.ts'
import { mixed } from './serve/mixed.ts'
import { ndjson } from './serve/ndjson.ts'
import { page } from './serve/page.ts'
import { peer } from './serve/peer.ts'
import { ticks } from './serve/ticks.ts'
import { stream } from './stream/stream.ts'

/** Every bench by the name that it is run by. */
export const BENCHES = {
  'decode-kalshi': decodeKalshi,
  'decode-polymarket': decodePolymarket,
  paced,
  book,
  memory,
  proofs,
  stream,
  page,
  peer,
  mixed,
  latency,
  ndjson,
  ticks,
  history
} as const satisfies Record<string, Bench>
