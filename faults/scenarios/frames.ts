import type { SimVenue } from '../../simulator/model/types.ts'
import { DRIFT, type Draft, RECONNECTED, STIR, waysOf } from '../scenario.ts'

/** Frames that say something else than they should, or nothing that can be read. */
export function frameFaults(venue: SimVenue): Draft[] {
  const { doubt, onBook, sequenced } = waysOf(venue)
  return [
    {
      name: 'unknown message type',
      acts: [{ fault: 'unknown_type', at: 'connection' }],
      concerns: 'nobody',
      alarms: ['counter:counters.ignored.unknown_type', 'counter:counters.ignored.unknown_event_type']
    },
    {
      name: 'unknown extra field',
      acts: [{ fault: 'extra_field', at: 'market' }, ...STIR],
      concerns: 'nobody'
    },
    {
      name: 'renamed field',
      acts: [{ fault: 'renamed_field', at: 'market' }, ...STIR],
      ...onBook,
      alarms: DRIFT
    },
    {
      name: 'renamed field for good',
      acts: [
        { fault: 'renamed_field', at: 'market', with: { count: 100_000 } },
        ...STIR,
        { waitMs: 1_000 },
        ...STIR,
        { waitMs: 1_000 },
        ...STIR,
        { clear: 'renamed_field' }
      ],
      ...onBook,
      alarms: DRIFT
    },
    {
      name: 'too many decimals',
      acts: [{ fault: 'too_many_decimals', at: 'market' }, ...STIR],
      ...onBook,
      alarms: DRIFT
    },
    {
      name: 'crossed book',
      acts: [{ fault: 'crossed_book', at: 'market' }, ...STIR],
      ...onBook,
      alarms: [
        'reason:crossed',
        'incident:crossed',
        'mismatch',
        'reason:hash_mismatch',
        'incident:hash_mismatch'
      ]
    },
    {
      name: 'negative level',
      acts: [{ fault: 'negative_level', at: 'market' }, ...STIR],
      ...onBook,
      alarms: ['reason:negative_level', 'incident:negative_level', ...DRIFT]
    },
    {
      name: 'delta for a market that does not exist',
      // Hushed, so that no trade's whole book heals it before anybody could notice. Two where no number tells of one: the
      // next quote may say its level again. On Kalshi a second one is mended after a pause, in the midst of a later fault.
      acts: [
        { move: 'hush' },
        { fault: 'unknown_ids', at: 'market', with: { count: venue === 'kalshi' ? 1 : 2 } },
        ...STIR
      ],
      undo: [{ move: 'wake' }],
      ...onBook,
      concerns: sequenced,
      alarms: [...doubt, 'incident:stray_change']
    },
    {
      name: 'text that is no JSON',
      acts: [{ fault: 'nonjson_text', at: 'connection' }],
      concerns: 'nobody',
      alarms: [
        'counter:counters.ignored.not_json',
        'counter:counters.ignored.malformed',
        'counter:counters.ignored.text'
      ]
    },
    {
      name: 'bytes that are no UTF-8',
      acts: [{ move: 'hush' }, { fault: 'invalid_utf8', at: 'market' }, ...STIR],
      undo: [{ move: 'wake' }],
      ...onBook,
      concerns: 'connection',
      mayReconnect: true,
      alarms: [...RECONNECTED, ...doubt]
    }
  ]
}
