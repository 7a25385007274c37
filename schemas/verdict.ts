import { type Static, Type } from 'typebox'
import { dateTime, nullable } from './common.ts'

export const VERDICT_STATES = ['syncing', 'live', 'stale', 'suspect', 'halted', 'closed'] as const
export const VerdictStateSchema = Type.Enum([...VERDICT_STATES], {
  type: 'string',
  description:
    'syncing: no snapshot yet; live: in sequence and connected; stale: the connection is down, polling overdue, or a ' +
    'replica too far behind; ' +
    'suspect: a message was lost or not understood, or a proof failed; halted: the venue paused trading; ' +
    'closed: trading has ended'
})

export const VERDICT_SOURCES = ['websocket', 'poll'] as const
export const VerdictSourceSchema = Type.Enum([...VERDICT_SOURCES], {
  type: 'string',
  description: 'Whether the book comes from the venue’s stream or from polling its REST API'
})

/** How far a book can be trusted, and why. */
export const VerdictSchema = Type.Object(
  {
    state: VerdictStateSchema,
    reason: nullable(
      Type.String({ description: 'Why the state is not live: a stable code such as awaiting_snapshot' })
    ),
    source: VerdictSourceSchema,
    sequence: nullable(
      Type.Integer({ description: "The venue's own counter at the last message; null where it sends none" })
    ),
    venueTime: nullable(dateTime("The venue's clock at the last change")),
    receivedAt: nullable(dateTime('Our clock at the last message for this market')),
    verifiedAt: nullable(dateTime('Our clock when the book was last proved')),
    mismatches: Type.Integer({ minimum: 0, description: 'Proofs failed since the start' })
  },
  { $id: 'Verdict', additionalProperties: false, description: 'How far the book can be trusted, and why' }
)
export type VerdictBody = Static<typeof VerdictSchema>
