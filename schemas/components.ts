import { ErrorSchema } from './error.ts'
import { EVENT_SCHEMAS } from './event.ts'
import { HEALTH_SCHEMAS } from './health.ts'
import { MARKET_SCHEMAS } from './market.ts'
import { ORDER_BOOK_SCHEMAS } from './order-book.ts'
import { SCHEDULE_SCHEMAS } from './schedule.ts'
import { VerdictSchema } from './verdict.ts'

/** Every schema that clients know by name; each appears under `components.schemas` of the specification. */
export const COMPONENT_SCHEMAS = [
  ErrorSchema,
  VerdictSchema,
  ...ORDER_BOOK_SCHEMAS,
  ...MARKET_SCHEMAS,
  ...EVENT_SCHEMAS,
  ...SCHEDULE_SCHEMAS,
  ...HEALTH_SCHEMAS
]
