import { type Static, Type } from 'typebox'
import { dateTime, nullable } from './common.ts'

export const ReplayHealthSchema = Type.Object(
  {
    state: Type.Enum(['running', 'finished'], {
      type: 'string',
      description: 'finished: all of the range was applied, and its last state is served'
    }),
    records: Type.Integer({ minimum: 0, description: 'Records of the journal that were applied' }),
    holes: Type.Integer({
      minimum: 0,
      description:
        'Stretches of which records are lost, damaged or missing: with each the books of its venue wait for their next snapshot'
    }),
    receivedAt: nullable(
      dateTime('The clock of the recorded run at the last of them; null before the first')
    ),
    digest: nullable(
      Type.String({
        description: 'SHA-256 over every change of every book, hexadecimal; null until it is finished'
      })
    )
  },
  { $id: 'ReplayHealth', additionalProperties: false, description: 'How far the replay of a journal is' }
)
export type ReplayHealth = Static<typeof ReplayHealthSchema>
