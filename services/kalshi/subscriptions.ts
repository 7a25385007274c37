import { SequenceTracker } from '../integrity/sequence.ts'
import { type Form, UNKNOWN_FORM } from './parse.ts'

/** One `sid` of a connection: its counter, and the books that it keeps. */
export interface Subscription {
  readonly sid: number
  readonly tracker: SequenceTracker
  /** Slots of the markets whose snapshot came on it. */
  readonly slots: Set<number>
  /** The highest number of a change that its book could not take, by slot: an older snapshot lacks that change. */
  readonly missed: Map<number, number>
  /** Set when `subscribed` named a `sid` that already counted: should 1 come next, the counter began anew. */
  mayRestart: boolean
  /** The form of the last change. */
  form: Form
}

export interface KalshiConnectionOptions {
  /**
   * Take the first number seen on a `sid` as its start, for recordings that begin in the middle. A `sid` whose
   * `subscribed` is in the recording begins at 1 all the same.
   */
  startAnywhere?: boolean
}

/** What one connection has counted. A new connection of ours is a new one of these: the venue begins all anew. */
export class KalshiConnection {
  private readonly bySid = new Map<number, Subscription>()
  private readonly startAnywhere: boolean

  constructor({ startAnywhere = false }: KalshiConnectionOptions = {}) {
    this.startAnywhere = startAnywhere
  }

  get(sid: number): Subscription | undefined {
    return this.bySid.get(sid)
  }

  subscriptions(): IterableIterator<Subscription> {
    return this.bySid.values()
  }

  /** Returns the subscription that a message numbered `sequence` came on, begun with it if it is new. */
  on(sid: number, sequence: number): Subscription {
    return this.bySid.get(sid) ?? this.begin(sid, this.startAnywhere ? sequence : 1)
  }

  /** Takes note of a `subscribed` answer. */
  subscribed(sid: number): void {
    const known = this.bySid.get(sid)
    if (known === undefined) this.begin(sid, 1)
    else known.mayRestart = true
  }

  end(sid: number): void {
    this.bySid.delete(sid)
  }

  /** Takes a market that is no longer followed off every subscription. */
  forget(slot: number): void {
    for (const { slots, missed } of this.bySid.values()) {
      slots.delete(slot)
      missed.delete(slot)
    }
  }

  private begin(sid: number, expected: number): Subscription {
    const subscription: Subscription = {
      sid,
      tracker: new SequenceTracker(expected),
      slots: new Set<number>(),
      missed: new Map<number, number>(),
      mayRestart: false,
      form: UNKNOWN_FORM
    }
    this.bySid.set(sid, subscription)
    return subscription
  }
}
