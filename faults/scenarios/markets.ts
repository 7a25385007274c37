import type { SimVenue } from '../../simulator/model/types.ts'
import { AT_ONCE, DISCOVERY_MS, type Draft, waysOf } from '../scenario.ts'

/** What happens in the life of a market. */
export function marketFaults(venue: SimVenue): Draft[] {
  const { isKalshi } = waysOf(venue)
  return [
    {
      name: 'market opens',
      acts: [{ list: true }],
      alarms: ['state:live'],
      detectMs: DISCOVERY_MS + 5_000,
      limitMs: 2_000,
      mayReconnect: !isKalshi
    },
    {
      name: 'market closes',
      acts: [{ move: 'close' }],
      alarms: ['state:closed', 'state:halted', 'state:gone'],
      detectMs: DISCOVERY_MS + 5_000,
      // No message tells it: the gateway's clock and the venue's REST side do.
      limitMs: DISCOVERY_MS + 5_000
    },
    {
      name: 'market settles',
      acts: [{ move: 'settle', body: { result: 'yes' } }],
      alarms: ['state:closed', 'state:gone'],
      detectMs: isKalshi ? AT_ONCE : DISCOVERY_MS + 5_000,
      limitMs: isKalshi ? AT_ONCE : DISCOVERY_MS + 5_000
    }
  ]
}
