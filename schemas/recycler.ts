import { type Static, Type } from 'typebox'
import { dateTime, decimal, nullable, VenueSchema } from './common.ts'

const count = (description: string) => Type.Integer({ description, minimum: 0 })
const durationMs = (description: string) => Type.Integer({ description: `${description}, ms`, minimum: 0 })

/** Lists in a report hold no more than this many entries; the total beside them says how many there were. */
export const REPORT_ENTRIES_MAX = 100

const TriggerSchema = Type.Enum(['schedule', 'operator'], {
  type: 'string',
  description: 'Who started the run'
})

const RecycledConnectionSchema = Type.Object(
  {
    name: Type.String({ description: 'The name of the connection, which the new one keeps' }),
    outcome: Type.Enum(['swapped', 'kept'], {
      type: 'string',
      description: 'swapped: a new connection keeps the books now; kept: the old one does'
    }),
    reason: nullable(Type.String({ description: 'Why it was kept; null when it was swapped' })),
    markets: count('Books on it'),
    equal: count('Books that agreed when they were compared first'),
    explained: count('Books that agreed a moment later: a change was in flight'),
    differed: count(
      'Books that agreed at no time; if swapped, an independent read gave what the new connection has'
    ),
    mended: count('Books not whole, or proven wrong, on the old connection that are whole on the new one'),
    fillMs: nullable(durationMs('From the start until the new connection had every book; null if never'))
  },
  { $id: 'RecycledConnection', additionalProperties: false, description: 'How one connection was renewed' }
)

const DifferingBookSchema = Type.Object(
  {
    marketId: Type.String({ description: 'kalshi:<ticker> or polymarket:<condition id>' }),
    connection: Type.String({ description: 'The connection that keeps the book' }),
    levels: count('Levels that only one book had, or that had another size'),
    side: Type.Enum(['bid', 'ask'], { type: 'string', description: 'Of the first such level, YES terms' }),
    price: decimal('Of the first such level, dollars per contract'),
    size: decimal('Its size in the book that was served, contracts; 0 where there was none'),
    freshSize: decimal('Its size in the book of the new connection, contracts; 0 where there was none')
  },
  { $id: 'DifferingBook', additionalProperties: false, description: 'A book that was not what it should be' }
)

const listed = <T extends Parameters<typeof Type.Array>[0]>(item: T, description: string) =>
  Type.Object(
    {
      total: count('How many there were'),
      items: Type.Array(item, { description: `At most the first ${REPORT_ENTRIES_MAX}` })
    },
    { additionalProperties: false, description }
  )

const RecycledVenueSchema = Type.Object(
  {
    venue: VenueSchema,
    durationMs: durationMs('How long it took'),
    error: nullable(Type.String({ description: 'What went wrong; null if nothing did' })),
    connections: Type.Array(
      Type.Unsafe<Static<typeof RecycledConnectionSchema>>(Type.Ref('RecycledConnection')),
      { description: 'Every connection; none where books are polled' }
    ),
    differed: listed(
      Type.Unsafe<Static<typeof DifferingBookSchema>>(Type.Ref('DifferingBook')),
      'Books that differed'
    ),
    markets: count('Markets followed after the discovery'),
    added: listed(Type.String({ description: 'A market id' }), 'Markets that the discovery added'),
    changed: listed(
      Type.Object(
        {
          id: Type.String({ description: 'A market id' }),
          fields: Type.Array(Type.String(), { description: 'What changed, by field of Market' })
        },
        { additionalProperties: false }
      ),
      'Markets of which the venue says something else now; volumes are left out'
    ),
    ended: listed(Type.String({ description: 'A market id' }), 'Markets that are no longer followed')
  },
  { $id: 'RecycledVenue', additionalProperties: false, description: 'What a run did with one venue' }
)
export type RecycledVenue = Static<typeof RecycledVenueSchema>

export const RecyclerRunSchema = Type.Object(
  {
    id: Type.Integer({ description: 'Counted from 1 since the process started', minimum: 1 }),
    trigger: TriggerSchema,
    startedAt: dateTime('When it began'),
    endedAt: dateTime('When it ended'),
    durationMs: durationMs('How long it took'),
    outcome: Type.Enum(['completed', 'partial', 'ended'], {
      type: 'string',
      description:
        'completed: all was renewed; partial: something was kept or failed, the reasons are given; ' +
        'ended: the gateway stopped'
    }),
    venues: Type.Array(Type.Unsafe<RecycledVenue>(Type.Ref('RecycledVenue')), {
      description: 'One after the other, in this order'
    })
  },
  { $id: 'RecyclerRun', additionalProperties: false, description: 'The report of one run' }
)
export type RecyclerRun = Static<typeof RecyclerRunSchema>

export const RecyclerStatusSchema = Type.Object(
  {
    intervalHours: Type.Number({ description: 'Hours between two runs, give or take a tenth' }),
    nextRunAt: nullable(dateTime('When the next run begins by itself; null while one is under way')),
    running: nullable(
      Type.Object(
        {
          id: Type.Integer({ description: 'The id that its report will have', minimum: 1 }),
          trigger: TriggerSchema,
          startedAt: dateTime('When it began'),
          venue: nullable(VenueSchema),
          step: Type.String({ description: 'What is being done' })
        },
        { additionalProperties: false, description: 'The run under way; null while there is none' }
      )
    ),
    lastRuns: Type.Array(Type.Unsafe<RecyclerRun>(Type.Ref('RecyclerRun')), {
      description: 'Reports of the last runs, newest first'
    })
  },
  {
    $id: 'RecyclerStatus',
    additionalProperties: false,
    description: 'When connections are renewed, and what came of it'
  }
)
export type RecyclerStatus = Static<typeof RecyclerStatusSchema>

export const StartedRunSchema = Type.Object(
  { id: Type.Integer({ description: 'The id that its report will have', minimum: 1 }) },
  {
    $id: 'StartedRun',
    additionalProperties: false,
    description: 'A run that was started',
    examples: [{ id: 3 }]
  }
)

export const RECYCLER_SCHEMAS = [
  RecycledConnectionSchema,
  DifferingBookSchema,
  RecycledVenueSchema,
  RecyclerRunSchema,
  RecyclerStatusSchema,
  StartedRunSchema
]
