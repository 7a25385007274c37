import type { SimVenue } from './model/types.ts'

/** What a fault may be told. Which of them a fault reads stands in the catalogue. */
export interface FaultParameters {
  /** How many times it fires before it clears itself; absent: the catalogue's default, which may be for ever. */
  count?: number
  /** Only this market: the Kalshi ticker or the Polymarket condition id. */
  market?: string
  /** Only this connection, numbered from 1 in the order of opening, per venue. */
  connection?: number
  ms?: number
  /** A WebSocket close code or a Kalshi error code. */
  code?: number
  /** An HTTP status. */
  status?: number
  /** `wire_form`: `fixed`, `transition`, `cents`. `empty_side_notation`: `zero_one`, `empty`, `absent`. */
  form?: string
  /** How many assets a connection may hold. */
  assets?: number
  text?: string
}

interface FaultSpecification {
  venues: readonly SimVenue[]
  description: string
  parameters: readonly (keyof FaultParameters)[]
  required?: readonly (keyof FaultParameters)[]
  /** How often it fires when no count is given; null: until cleared. */
  defaultCount: number | null
  values?: Partial<Record<keyof FaultParameters, readonly (string | number)[]>>
}

const BOTH = ['kalshi', 'polymarket'] as const
const MESSAGE = ['count', 'market', 'connection'] as const
const SOCKET = ['count', 'connection'] as const

/** Every fault by name. */
export const FAULT_CATALOGUE = {
  drop_delta: {
    venues: BOTH,
    description: 'The next book changes are not sent; sequence numbers still advance.',
    parameters: MESSAGE,
    defaultCount: 1
  },
  duplicate_delta: {
    venues: BOTH,
    description: 'The next book changes are sent twice, byte for byte.',
    parameters: MESSAGE,
    defaultCount: 1
  },
  reorder_delta: {
    venues: BOTH,
    description: 'The next book change is sent after the one that follows it.',
    parameters: MESSAGE,
    defaultCount: 1
  },
  delta_before_snapshot: {
    venues: BOTH,
    description: 'The next snapshots come `ms` late (default 200), after changes of their books.',
    parameters: [...MESSAGE, 'ms'],
    defaultCount: 1
  },
  no_snapshot: {
    venues: BOTH,
    description: 'Subscriptions get no snapshot, only changes.',
    parameters: MESSAGE,
    defaultCount: null
  },
  cut_socket: {
    venues: BOTH,
    description: 'Resets the TCP connection at once (all of them, or the one named).',
    parameters: SOCKET,
    defaultCount: 1
  },
  close_socket: {
    venues: BOTH,
    description: 'Closes the WebSocket at once with `code` (default 1001).',
    parameters: [...SOCKET, 'code'],
    defaultCount: 1
  },
  half_open: {
    venues: BOTH,
    description: 'Neither reads nor writes, and does not close.',
    parameters: ['connection'],
    defaultCount: null
  },
  mute_connection: {
    venues: BOTH,
    description: 'Answers pings and PINGs, sends no data.',
    parameters: SOCKET,
    defaultCount: null
  },
  mute_market: {
    venues: BOTH,
    description: 'Sends nothing about one market.',
    parameters: MESSAGE,
    required: ['market'],
    defaultCount: null
  },
  unknown_type: {
    venues: BOTH,
    description: 'Sends a message of a type that nobody knows, at once.',
    parameters: SOCKET,
    defaultCount: 1
  },
  renamed_field: {
    venues: BOTH,
    description: 'The next book changes carry their size under another name.',
    parameters: MESSAGE,
    defaultCount: 1
  },
  too_many_decimals: {
    venues: BOTH,
    description: 'The next book changes carry a size with nine decimals.',
    parameters: MESSAGE,
    defaultCount: 1
  },
  crossed_book: {
    venues: BOTH,
    description: 'Sends a change that puts a bid over the best ask and that the true book does not hold.',
    parameters: MESSAGE,
    defaultCount: 1
  },
  negative_level: {
    venues: BOTH,
    description:
      'Sends a change that takes more from a level than rests there (Polymarket: a negative size).',
    parameters: MESSAGE,
    defaultCount: 1
  },
  unknown_ids: {
    venues: BOTH,
    description: 'The next book changes name a market that does not exist.',
    parameters: MESSAGE,
    defaultCount: 1
  },
  extra_field: {
    venues: BOTH,
    description: 'The next book changes carry one more field, whose name nobody knows.',
    parameters: MESSAGE,
    defaultCount: 1
  },
  invalid_utf8: {
    venues: BOTH,
    description: 'The next book changes come as text frames with a byte in one value that is no UTF-8.',
    parameters: MESSAGE,
    defaultCount: 1
  },
  nonjson_text: {
    venues: BOTH,
    description: 'Sends `text` (default: a sentence) as a bare text frame, at once.',
    parameters: [...SOCKET, 'text'],
    defaultCount: 1
  },
  merged_subscribe: {
    venues: ['kalshi'],
    description: 'Answers `ok` to every subscribe, the first one of a connection included.',
    parameters: SOCKET,
    defaultCount: null
  },
  shuffle_answers: {
    venues: ['kalshi'],
    description: 'Answers commands of a burst out of order, `ms` late at most (default 20).',
    parameters: [...SOCKET, 'ms'],
    defaultCount: null
  },
  kalshi_error: {
    venues: ['kalshi'],
    description:
      'Sends an error at once; 10, 25 and 17 end the subscription, the others refuse the next command.',
    parameters: [...SOCKET, 'code'],
    required: ['code'],
    values: { code: [9, 10, 17, 25, 26, 27] },
    defaultCount: 1
  },
  wire_form: {
    venues: ['kalshi'],
    description: 'The form of prices and counts: `fixed`, `transition` or `cents`.',
    parameters: ['form'],
    required: ['form'],
    values: { form: ['fixed', 'transition', 'cents'] },
    defaultCount: null
  },
  empty_side_notation: {
    venues: ['polymarket'],
    description: 'How an empty side is told: `zero_one`, `empty` or `absent`.',
    parameters: ['form'],
    required: ['form'],
    values: { form: ['zero_one', 'empty', 'absent'] },
    defaultCount: null
  },
  no_dump_above: {
    venues: ['polymarket'],
    description: 'A connection with more than `assets` subscribed gets no snapshots (always so above 500).',
    parameters: [...SOCKET, 'assets'],
    required: ['assets'],
    defaultCount: null
  },
  no_resolution_message: {
    venues: ['polymarket'],
    description: 'Markets resolve in silence: no `market_resolved`.',
    parameters: SOCKET,
    defaultCount: null
  },
  refuse_upgrade: {
    venues: BOTH,
    description: 'Refuses new WebSockets with `status` (default 503).',
    parameters: ['count', 'status'],
    values: { status: [401, 429, 503] },
    defaultCount: null
  },
  rest_status: {
    venues: BOTH,
    description: 'REST answers `status` (default 503).',
    parameters: ['count', 'status'],
    values: { status: [425, 429, 500, 502, 503] },
    defaultCount: null
  },
  rest_html: {
    venues: BOTH,
    description: 'REST answers a page of HTML with `status` (default 429).',
    parameters: ['count', 'status'],
    defaultCount: null
  },
  rest_slow: {
    venues: BOTH,
    description: 'REST answers `ms` late (default 3000).',
    parameters: ['count', 'ms'],
    defaultCount: null
  },
  rest_stale: {
    venues: BOTH,
    description: 'REST books are served from a cache for `ms` (default 15000).',
    parameters: ['count', 'market', 'ms'],
    defaultCount: null
  },
  rest_lag: {
    venues: BOTH,
    description: 'REST books show the state of `ms` ago (default 1000).',
    parameters: ['count', 'market', 'ms'],
    defaultCount: null
  },
  credentials_refused: {
    venues: ['kalshi'],
    description: 'Every signature is refused with 401.',
    parameters: ['count'],
    defaultCount: null
  },
  clock_offset: {
    venues: BOTH,
    description: "Moves the venue's clock by `ms`, which may be negative.",
    parameters: ['ms'],
    required: ['ms'],
    defaultCount: null
  },
  auto: {
    venues: BOTH,
    description: 'Sets a passing fault by chance every `ms` (default 10000).',
    parameters: ['ms'],
    defaultCount: null
  }
} as const satisfies Record<string, FaultSpecification>

export type FaultName = keyof typeof FAULT_CATALOGUE

/** Returns what the catalogue says about a fault. */
export function describeFault(name: FaultName): FaultSpecification {
  return FAULT_CATALOGUE[name]
}

export function isFaultName(name: string): name is FaultName {
  return Object.hasOwn(FAULT_CATALOGUE, name)
}

const NUMBERS = ['count', 'connection', 'ms', 'code', 'status', 'assets'] as const

/**
 * Checks what a fault is told against the catalogue.
 *
 * @throws {RangeError} with one sentence if the fault does not exist there or a parameter does not fit
 */
export function assertParameters(venue: SimVenue, name: FaultName, parameters: FaultParameters): void {
  const specification = describeFault(name)
  if (!specification.venues.includes(venue)) throw new RangeError(`${name} does not exist on ${venue}.`)
  for (const key of Object.keys(parameters) as (keyof FaultParameters)[]) {
    if (!specification.parameters.includes(key)) throw new RangeError(`${name} takes no parameter "${key}".`)
    const value = parameters[key]
    const isNumber = (NUMBERS as readonly string[]).includes(key)
    if (isNumber ? !Number.isInteger(value) : typeof value !== 'string') {
      throw new RangeError(`"${key}" of ${name} must be ${isNumber ? 'an integer' : 'a text'}.`)
    }
    if (key !== 'ms' && typeof value === 'number' && value < 1) {
      throw new RangeError(`"${key}" of ${name} must be 1 or more.`)
    }
    const allowed = specification.values?.[key]
    if (allowed !== undefined && value !== undefined && !allowed.includes(value)) {
      throw new RangeError(`"${key}" of ${name} must be one of ${allowed.join(', ')}.`)
    }
  }
  for (const key of specification.required ?? []) {
    if (parameters[key] === undefined) throw new RangeError(`${name} needs the parameter "${key}".`)
  }
}
