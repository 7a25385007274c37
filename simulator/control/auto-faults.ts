import type { FaultName, FaultParameters, Faults } from '../faults.ts'
import type { Random } from '../model/random.ts'
import type { SimVenue } from '../model/types.ts'

export interface AutoFaults {
  stop(): void
}

const DEFAULT_MS = 10_000

/** Faults that pass by themselves, so that a long run can be left alone with them. */
const PASSING: readonly [FaultName, FaultParameters][] = [
  ['drop_delta', {}],
  ['duplicate_delta', { count: 3 }],
  ['reorder_delta', {}],
  ['cut_socket', {}],
  ['close_socket', {}],
  ['unknown_type', {}],
  ['nonjson_text', {}],
  ['too_many_decimals', {}],
  ['renamed_field', {}],
  ['crossed_book', {}],
  ['negative_level', {}],
  ['rest_status', { count: 3, status: 503 }],
  ['rest_html', { count: 2 }],
  ['rest_slow', { count: 3, ms: 500 }]
]

/** Follows the `auto` fault: while it is on for a venue, sets a passing fault there by chance, again and again. */
export function startAutoFaults(faults: Faults, random: Random): AutoFaults {
  const timers = new Map<SimVenue, NodeJS.Timeout>()

  const strike = (venue: SimVenue) => {
    if (faults.consume(venue, 'auto') === undefined) {
      clearInterval(timers.get(venue))
      timers.delete(venue)
      return
    }
    const [name, parameters] = random.pick(PASSING)
    faults.set(venue, name, parameters)
  }
  const unlisten = faults.onSet(({ name, venue, parameters }) => {
    if (name !== 'auto') return
    clearInterval(timers.get(venue))
    timers.set(
      venue,
      setInterval(() => strike(venue), parameters.ms ?? DEFAULT_MS)
    )
  })

  return {
    stop() {
      unlisten()
      for (const timer of timers.values()) clearInterval(timer)
      timers.clear()
    }
  }
}
