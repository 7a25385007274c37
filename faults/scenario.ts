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
export const AT_ONCE = 750
/** On Polymarket its group may last 250 ms longer. */
const GROUP = 250
export const CONNECTION_LIMIT = 15_000
export const MARKET_LIMIT = 30_000
/** The audit reads a book twice before it calls it wrong. */
export const AUDIT_LIMIT = AUDIT_PERIOD_MS * 1.25
/** Changes of the target after the fault, so that it does not depend on chance. */
export const STIR: Act[] = [{ move: 'quote' }, { move: 'quote' }, { move: 'quote' }]

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

export type Draft = Pick<Scenario, 'name' | 'acts'> & Partial<Scenario>

export const DRIFT = ['reason:drift', 'incident:drift']
export const RECONNECTED = [
  'counter:connections.reconnects',
  'state:stale',
  'reason:disconnected',
  'state:syncing'
]

/** What differs between the venues in how a lost or spoilt change shows. */
export interface Ways {
  isKalshi: boolean
  /** Kalshi has one counter for all markets of a connection: a number that is missing concerns them all. */
  sequenced: Scenario['concerns']
  /** Limits of a fault that spoils a book. */
  onBook: Pick<Scenario, 'limitMs' | 'detectMs'>
  /** Signs that a book lacks something. */
  doubt: string[]
}

export function waysOf(venue: SimVenue): Ways {
  const isKalshi = venue === 'kalshi'
  const atOnce = isKalshi ? AT_ONCE : AT_ONCE + GROUP
  return {
    isKalshi,
    sequenced: isKalshi ? 'connection' : 'market',
    onBook: { limitMs: atOnce, detectMs: atOnce },
    doubt: isKalshi
      ? ['reason:sequence_gap', 'incident:sequence_gap']
      : ['mismatch', 'reason:hash_mismatch', 'incident:hash_mismatch', 'reason:crossed']
  }
}

/** Returns the scenario with everything filled in that it does not say. */
export function complete(draft: Draft, venue: SimVenue): Scenario {
  return { ...DEFAULTS, ...draft, venue }
}
