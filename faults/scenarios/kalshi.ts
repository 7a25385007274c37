import type { FaultName, FaultParameters } from '../../simulator/faults.ts'
import {
  AT_ONCE,
  AUDIT_PERIOD_MS,
  CONNECTION_LIMIT,
  DRIFT,
  type Draft,
  RECONNECTED,
  STIR
} from '../scenario.ts'

/** An answer to a subscribe; it is the one trace of a subscription that is renewed between two looks. */
const SUBSCRIBED_ANEW = 'counter:counters.ignored.subscribed'

/** What only Kalshi can do. */
export function kalshiOnly(): Draft[] {
  const ended = (code: number): Draft => ({
    name: `error ${code}`,
    acts: [{ fault: 'kalshi_error', with: { code } }],
    concerns: 'connection',
    alarms: ['state:syncing', 'state:suspect', 'state:stale', SUBSCRIBED_ANEW],
    detectMs: 2_000,
    limitMs: 2_000
  })
  const whenCut = (name: string, fault: FaultName, parameters: FaultParameters): Draft => ({
    name,
    acts: [
      { fault, with: parameters },
      { fault: 'close_socket', at: 'connection' }
    ],
    concerns: 'connection',
    alarms: RECONNECTED,
    detectMs: CONNECTION_LIMIT,
    limitMs: AT_ONCE,
    mayReconnect: true,
    holdMs: 3_000,
    undo: [{ clear: fault }]
  })
  return [
    whenCut('merged subscribe', 'merged_subscribe', {}),
    whenCut('commands answered out of order', 'shuffle_answers', { ms: 50 }),
    ended(10),
    ended(17),
    ended(25),
    whenCut('error 26 to a command', 'kalshi_error', { code: 26, count: 1 }),
    {
      name: 'wire form changes',
      acts: [{ fault: 'wire_form', with: { form: 'transition' } }, { waitMs: 2_000 }],
      concerns: 'connection',
      holdMs: 5_000,
      undo: [{ clear: 'wire_form' }, { waitMs: 2_000 }]
    },
    {
      name: 'wire form falls back to cents',
      // Longer than an audit period: meanwhile the books lack what whole cents and contracts cannot say.
      acts: [
        { fault: 'wire_form', with: { form: 'cents' } },
        ...STIR,
        { waitMs: 1.5 * AUDIT_PERIOD_MS },
        { clear: 'wire_form' },
        ...STIR
      ],
      concerns: 'connection',
      alarms: DRIFT,
      holdMs: 1.5 * AUDIT_PERIOD_MS + 5_000
    },
    {
      name: 'market pauses and goes on',
      acts: [{ move: 'pause' }, { waitMs: 2_500 }, { move: 'resume' }],
      alarms: ['state:halted'],
      holdMs: 4_000
    },
    {
      name: "the venue's clock jumps",
      acts: [{ fault: 'clock_offset', with: { ms: 3_000 } }],
      concerns: 'nobody',
      holdMs: 6_000,
      undo: [{ clear: 'clock_offset' }, { waitMs: 1_000 }]
    }
  ]
}
