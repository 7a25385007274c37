import type { Row } from '../lane.ts'
import { ourClockJumps, quietHour } from './clocks.ts'
import type { Solo } from './place.ts'
import { sigterm, slowClients } from './readers.ts'
import { downAtStart, refusedForGood } from './refusals.ts'

/** In the order in which they are run; the longest last. */
export const SOLO: Solo[] = [
  downAtStart('kalshi'),
  downAtStart('polymarket'),
  refusedForGood('credentials refused', (venues) => venues.setFault('kalshi', 'credentials_refused')),
  refusedForGood('error 9', (venues) => venues.setFault('kalshi', 'kalshi_error', { code: 9, count: 1_000 })),
  ourClockJumps,
  slowClients,
  sigterm,
  quietHour
]

/** Runs them one after the other. */
export async function runSolo(solos: readonly Solo[], note: (row: Row) => void): Promise<void> {
  for (const { name, venue, run } of solos) {
    const startedMs = performance.now()
    const row = await run()
    note({ name, venue, ...row, tookMs: Math.round(performance.now() - startedMs) })
  }
}
