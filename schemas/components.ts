import type { TSchema } from 'typebox'
import { ErrorSchema } from './error.ts'
import { EVENT_SCHEMAS } from './event.ts'
import { EXAMPLES } from './examples.ts'
import { HEALTH_SCHEMAS } from './health.ts'
import { HISTORY_SCHEMAS } from './history.ts'
import { HISTORY_EXAMPLES } from './history-examples.ts'
import { MARKET_SCHEMAS } from './market.ts'
import { ORDER_BOOK_SCHEMAS } from './order-book.ts'
import { RECYCLER_SCHEMAS } from './recycler.ts'
import { SCHEDULE_SCHEMAS } from './schedule.ts'
import { VerdictSchema } from './verdict.ts'

type Component = TSchema & { $id: string }

const components: readonly TSchema[] = [
  ErrorSchema,
  VerdictSchema,
  ...ORDER_BOOK_SCHEMAS,
  ...MARKET_SCHEMAS,
  ...EVENT_SCHEMAS,
  ...SCHEDULE_SCHEMAS,
  ...HEALTH_SCHEMAS,
  ...RECYCLER_SCHEMAS,
  ...HISTORY_SCHEMAS
]

const examples = new Map<string, unknown>(Object.entries({ ...EXAMPLES, ...HISTORY_EXAMPLES }))

/** Every schema that clients know by name; each appears under `components.schemas` of the specification. */
export const COMPONENT_SCHEMAS: readonly Component[] = components.map((schema) => {
  const component = schema as Component
  const example = examples.get(component.$id)
  return example === undefined ? component : { ...component, examples: [example] }
})
