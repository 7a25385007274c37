import type { FaultName, FaultParameters } from '../../simulator/faults.ts'
import { AUDIT_PERIOD_MS, DISCOVERY_MS, type Draft } from '../scenario.ts'

/** The sockets go on: no book may be doubted for a REST side that fails, lags or repeats itself. */
export function restFaults(): Draft[] {
  const trouble = (name: string, fault: FaultName, parameters: FaultParameters): Draft => ({
    name,
    acts: [{ fault, with: parameters }],
    concerns: 'nobody',
    holdMs: DISCOVERY_MS + 3_000,
    undo: [{ clear: fault }, { waitMs: 1_000 }]
  })
  const noticed = ['counter:rest.retries', 'counter:rest.failures']
  return [
    {
      ...trouble('REST 429', 'rest_status', { status: 429 }),
      alarms: noticed,
      detectMs: DISCOVERY_MS + 5_000
    },
    {
      ...trouble('REST 5xx', 'rest_status', { status: 502 }),
      alarms: noticed,
      detectMs: DISCOVERY_MS + 5_000
    },
    { ...trouble('REST HTML', 'rest_html', {}), alarms: noticed, detectMs: DISCOVERY_MS + 5_000 },
    trouble('REST slow', 'rest_slow', { ms: 2_500 }),
    { ...trouble('REST cached', 'rest_stale', { ms: 15_000 }), holdMs: AUDIT_PERIOD_MS + 2_000 },
    { ...trouble('REST lagging', 'rest_lag', { ms: 1_500 }), holdMs: AUDIT_PERIOD_MS + 2_000 }
  ]
}
