import type { Row } from '../lane.ts'
import { ourClockJumps, quietHour } from './clocks.ts'
import type { Solo } from './place.ts'
import { sigterm, slowClients, slowStreamClients } from './readers.ts'
import { downAtStart, refusedForGood } from './refusals.ts'
import { STORE_FAULTS } from './stores.ts'

/** In the order in which they are run; the longest first. */
export const SOLO: Solo[] = [
  quietHour,
  ...STORE_FAULTS,
  downAtStart('kalshi'),
  downAtStart('polymarket'),
  refusedForGood('credentials refused', (venues) => venues.setFault('kalshi', 'credentials_refused')),
  refusedForGood('error 9', (venues) => venues.setFault('kalshi', 'kalshi_error', { code: 9, count: 1_000 })),
  ourClockJumps,
  slowClients,
  slowStreamClients,
  sigterm
]

/** They mostly wait. */
const AT_ONCE = 2

/** Runs them, a few at a time. */
export async function runSolo(solos: readonly Solo[], note: (row: Row) => void): Promise<void> {
  const waiting = [...solos]
  const runner = async () => {
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      const { name, venue, run } = next
      const startedMs = performance.now()
      const row = await run()
      note({ name, venue, ...row, tookMs: Math.round(performance.now() - startedMs) })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, runner))
}
