import type { FaultName, FaultParameters } from '../simulator/faults.ts'
import type { SimVenue } from '../simulator/model/types.ts'

/** One thing that is done to a venue. Faults are aimed at the target market or at the connection that carries it. */
export type Act =
  | { fault: FaultName; with?: FaultParameters; at?: 'market' | 'connection' }
  | { clear: FaultName }
  | {
      move: 'act' | 'quote' | 'hush' | 'wake' | 'pause' | 'resume' | 'close' | 'settle' | 'tick'
      body?: object
    }
  | { list: true }
  | { waitMs: number }

export interface Scenario {
  /** In the words of the list in `architecture.md`, and unlike any other of its venue. */
  name: string
  venue: SimVenue
  acts: Act[]
  /** Whose books the fault may disturb: the target's, those of its connection, all of the venue's, or nobody's. */
  concerns: 'market' | 'connection' | 'venue' | 'nobody'
  /** Signs of detection, any of them: see `signsOf` in judge.ts. None: it must be borne, not noticed. */
  alarms: string[]
  /** Longest time that a wrong book may be live, milliseconds. */
  limitMs: number
  detectMs: number
  mayReconnect: boolean
  /** How long it is watched at least. */
  holdMs: number
  /** Told to come to an end when it is detected; otherwise it lasts until it ends by itself. */
  clearWhenDetected: boolean
  /** How long the books may take to come back after detection. */
  recoverMs: number
  /** What is undone in the end. */
  undo: Act[]
  /** The fault withholds messages; each firing is one that is lost. */
  withholds?: FaultName
}

/** One audit period of the gateways under test; a smaller world is audited faster than the default 60 s. */
export const AUDIT_PERIOD_MS = 20_000
export const DISCOVERY_MS = 5_000

/** Within one message, plus the time between two looks from outside (and one slow look). */
const AT_ONCE = 750
/** On Polymarket its group may last 250 ms longer. */
const GROUP = 250
const CONNECTION_LIMIT = 15_000
const MARKET_LIMIT = 30_000
/** The audit reads a book twice before it calls it wrong. */
const AUDIT_LIMIT = AUDIT_PERIOD_MS * 1.25
/** Changes of the target after the fault, so that it does not depend on chance. */
const STIR: Act[] = [{ move: 'quote' }, { move: 'quote' }, { move: 'quote' }]

const DEFAULTS = {
  concerns: 'market',
  alarms: [],
  limitMs: AT_ONCE,
  detectMs: AT_ONCE,
  mayReconnect: false,
  holdMs: 1_500,
  clearWhenDetected: false,
  recoverMs: 15_000,
  undo: []
} satisfies Omit<Scenario, 'name' | 'venue' | 'acts'>

type Draft = Pick<Scenario, 'name' | 'acts'> & Partial<Scenario>

const DRIFT = ['reason:drift', 'incident:drift', 'counter:counters.ignored.drift']
const RECONNECTED = ['counter:connections.reconnects', 'state:stale', 'reason:disconnected', 'state:syncing']

/** Faults that both venues have; what differs is told by the venue. */
function common(venue: SimVenue): Draft[] {
  const isKalshi = venue === 'kalshi'
  /** Kalshi has one counter for all markets of a connection: a number that is missing concerns them all. */
  const sequenced = isKalshi ? 'connection' : 'market'
  const atOnce = isKalshi ? AT_ONCE : AT_ONCE + GROUP
  const doubt = isKalshi
    ? ['reason:sequence_gap', 'incident:sequence_gap']
    : ['mismatch', 'reason:hash_mismatch', 'incident:hash_mismatch', 'reason:crossed']
  const onBook = { limitMs: atOnce, detectMs: atOnce }
  const offline = { limitMs: CONNECTION_LIMIT, detectMs: CONNECTION_LIMIT, mayReconnect: true }
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
      name: 'deltas before a snapshot',
      acts: [
        { fault: 'delta_before_snapshot', with: { count: 8, ms: 800 } },
        { fault: 'close_socket', at: 'connection' }
      ],
      ...offline,
      concerns: 'connection',
      alarms: RECONNECTED
    },
    {
      name: 'no snapshot',
      acts: [
        { fault: 'no_snapshot', with: { count: 4 } },
        { fault: 'close_socket', at: 'connection' }
      ],
      ...offline,
      concerns: 'connection',
      alarms: ['reason:awaiting_snapshot'],
      recoverMs: 25_000
    },
    {
      name: 'socket cut',
      acts: [{ fault: 'cut_socket', at: 'connection' }],
      ...offline,
      concerns: 'connection',
      alarms: RECONNECTED
    },
    {
      name: 'socket closed by the venue',
      acts: [{ fault: 'close_socket', at: 'connection' }],
      ...offline,
      concerns: 'connection',
      alarms: RECONNECTED
    },
    {
      name: 'half-open socket',
      acts: [{ fault: 'half_open', at: 'connection' }, ...STIR],
      ...offline,
      concerns: 'connection',
      alarms: RECONNECTED,
      withholds: 'half_open'
    },
    {
      name: 'pings answered, nothing sent',
      acts: [{ fault: 'mute_connection', at: 'connection' }, ...STIR],
      ...offline,
      concerns: 'connection',
      alarms: [...RECONNECTED, 'reason:silent', 'incident:silent_connection', 'reason:audit_mismatch'],
      recoverMs: 30_000,
      withholds: 'mute_connection'
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
    },
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
        'counter:counters.ignored.crossed',
        'mismatch',
        'reason:hash_mismatch',
        'incident:hash_mismatch'
      ]
    },
    {
      name: 'negative level',
      acts: [{ fault: 'negative_level', at: 'market' }, ...STIR],
      ...onBook,
      alarms: [
        'reason:negative_level',
        'incident:negative_level',
        'counter:counters.ignored.negative_level',
        ...DRIFT
      ]
    },
    {
      name: 'delta for a market that does not exist',
      acts: [{ fault: 'unknown_ids', at: 'market' }, ...STIR],
      ...onBook,
      concerns: sequenced,
      alarms: ['counter:counters.ignored.unknown_market', 'counter:counters.ignored.unknown_asset']
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
      acts: [{ fault: 'invalid_utf8', at: 'market' }, ...STIR],
      ...onBook,
      concerns: 'connection',
      mayReconnect: true,
      alarms: [
        'counter:counters.ignored.not_utf8',
        'counter:counters.ignored.not_json',
        ...RECONNECTED,
        ...doubt
      ]
    },
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
    },
    ...restTroubles()
  ]
}

/** The sockets go on: no book may be doubted for a REST side that fails, lags or repeats itself. */
function restTroubles(): Draft[] {
  const trouble = (name: string, fault: FaultName, parameters: FaultParameters): Draft => ({
    name,
    acts: [{ fault, with: parameters }],
    concerns: 'nobody',
    holdMs: DISCOVERY_MS + 3_000,
    undo: [{ clear: fault }, { waitMs: 1_000 }]
  })
  const noticed = ['counter:rest.retries', 'counter:rest.failures']
  return [
    {
      ...trouble('REST 429', 'rest_status', { status: 429 }),
      alarms: noticed,
      detectMs: DISCOVERY_MS + 5_000
    },
    {
      ...trouble('REST 5xx', 'rest_status', { status: 502 }),
      alarms: noticed,
      detectMs: DISCOVERY_MS + 5_000
    },
    { ...trouble('REST HTML', 'rest_html', {}), alarms: noticed, detectMs: DISCOVERY_MS + 5_000 },
    trouble('REST slow', 'rest_slow', { ms: 2_500 }),
    { ...trouble('REST cached', 'rest_stale', { ms: 15_000 }), holdMs: AUDIT_PERIOD_MS + 2_000 },
    { ...trouble('REST lagging', 'rest_lag', { ms: 1_500 }), holdMs: AUDIT_PERIOD_MS + 2_000 }
  ]
}

function kalshiOnly(): Draft[] {
  const ended = (code: number): Draft => ({
    name: `error ${code}`,
    acts: [{ fault: 'kalshi_error', with: { code } }],
    concerns: 'connection',
    alarms: ['state:syncing', 'state:suspect', 'state:stale', 'counter:counters.ignored.error'],
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
      acts: [
        // Not to whole cents: that form cannot say what these books hold.
        { fault: 'wire_form', with: { form: 'transition' } },
        { waitMs: 2_000 }
      ],
      concerns: 'connection',
      holdMs: 5_000,
      undo: [{ clear: 'wire_form' }, { waitMs: 2_000 }]
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

function polymarketOnly(): Draft[] {
  return [
    {
      name: 'match group',
      // A busy market trades by itself; a clean stretch with trades must raise nothing.
      acts: Array.from({ length: 40 }, (): Act => ({ move: 'act' })),
      concerns: 'nobody',
      holdMs: 4_000
    },
    {
      name: 'tick size change',
      acts: [{ move: 'tick', body: { tick: '0.001' } }, ...STIR],
      concerns: 'nobody',
      holdMs: 2_000
    },
    {
      name: 'empty side in other words',
      acts: [{ fault: 'empty_side_notation', with: { form: 'absent' } }, ...STIR],
      concerns: 'nobody',
      undo: [{ clear: 'empty_side_notation' }]
    },
    {
      name: 'market pauses and goes on',
      acts: [{ move: 'pause' }, { waitMs: DISCOVERY_MS + 4_000 }, { move: 'resume' }],
      alarms: ['state:halted'],
      detectMs: DISCOVERY_MS + 5_000,
      limitMs: DISCOVERY_MS + 5_000,
      holdMs: DISCOVERY_MS + 6_000
    },
    {
      name: "the venue's clock jumps",
      acts: [
        { fault: 'clock_offset', with: { ms: 3_600_000 } },
        { waitMs: 3_000 },
        { fault: 'clock_offset', with: { ms: -3_600_000 } }
      ],
      concerns: 'nobody',
      holdMs: 6_000,
      undo: [{ clear: 'clock_offset' }, { waitMs: 1_000 }]
    }
  ]
}

/** Returns what is run on one venue, one after the other. */
export function scenariosOf(venue: SimVenue): Scenario[] {
  const own = venue === 'kalshi' ? kalshiOnly() : polymarketOnly()
  return [...common(venue), ...own].map((draft) => ({ ...DEFAULTS, ...draft, venue }))
}

/** Faults of the list that wait for what they break. */
export const LATER = ['Redis gone for a minute', 'PostgreSQL gone for a minute', 'slow stream client']
