import type { SimVenue } from '../../simulator/model/types.ts'
import { AUDIT_LIMIT, type Draft, MARKET_LIMIT, STIR, waysOf } from '../scenario.ts'

/** Changes that are lost, repeated or come in another order; each frame for itself is as it should be. */
export function deltaFaults(venue: SimVenue): Draft[] {
  const { doubt, isKalshi, onBook, sequenced } = waysOf(venue)
  return [
    {
      name: 'dropped delta',
      // Hushed, so that no trade's whole book heals it by chance before anybody could notice.
      acts: [{ move: 'hush' }, { fault: 'drop_delta', at: 'market' }, ...STIR],
      undo: [{ move: 'wake' }],
      ...onBook,
      concerns: sequenced,
      alarms: doubt,
      withholds: 'drop_delta'
    },
    {
      name: 'duplicated delta',
      acts: [{ fault: 'duplicate_delta', at: 'market' }, ...STIR],
      // Sizes are absolute on Polymarket: the same frame twice changes nothing.
      concerns: 'nobody'
    },
    {
      name: 'reordered delta',
      acts: [{ fault: 'reorder_delta', at: 'market' }, ...STIR],
      ...onBook,
      concerns: sequenced,
      // On Polymarket an order that does not matter leaves no trace and needs none.
      alarms: isKalshi ? doubt : [],
      holdMs: 2_500
    },
    {
      name: 'one market muted among many',
      acts: [{ fault: 'mute_market', at: 'market' }, ...STIR],
      limitMs: MARKET_LIMIT,
      detectMs: MARKET_LIMIT,
      alarms: [
        'mismatch',
        'reason:audit_mismatch',
        'incident:audit_mismatch',
        'reason:hash_mismatch',
        'incident:hash_mismatch',
        'reason:silent'
      ],
      clearWhenDetected: true,
      // The last rung of the ladder is another connection.
      mayReconnect: true,
      recoverMs: 30_000,
      withholds: 'mute_market'
    },
    {
      name: 'lost delta, no later message',
      acts: [
        { move: 'hush' },
        { fault: 'mute_market', at: 'market' },
        { move: 'quote' },
        { clear: 'mute_market' }
      ],
      limitMs: AUDIT_LIMIT,
      detectMs: AUDIT_LIMIT,
      alarms: [
        'mismatch',
        'reason:audit_mismatch',
        'incident:audit_mismatch',
        'reason:hash_mismatch',
        'incident:hash_mismatch'
      ],
      recoverMs: 30_000,
      undo: [{ move: 'wake' }],
      withholds: 'mute_market'
    }
  ]
}
