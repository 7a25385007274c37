import { type PayloadMessage, payloadOf } from './channels.ts'
import type { StreamLag, StreamResync, StreamSubscribed } from './messages.gen.ts'
import { type Order, Position } from './position.ts'
import type { Question } from './question.ts'

/** What a subscription's messages become. */
export interface FeedState {
  /** Whether the gateway tells a state at first; trades have none. */
  readonly hasState: boolean
  /** Who reads it. */
  readonly readers: number
  told(told: readonly never[], removed: readonly string[]): void
  line(isUp: boolean): void
  lag(removed: readonly string[]): void
  voided(): void
  whole(): void
  end(failure: { error: unknown } | null): void
}

/** A message that belongs to one subscription. */
export type TopicMessage = PayloadMessage | StreamLag | StreamResync

/** One question that is asked on whatever connection there is: its place in the numbering, and what came of it. */
export class Feed {
  readonly id: string
  readonly key: string
  readonly question: Question
  readonly state: FeedState
  readonly position = new Position()
  /** The number that its messages carry on the present connection. */
  topic: number | null = null
  /** It was accepted once: being refused later may be passing. */
  wasAccepted = false
  refusedSinceMs: number | null = null

  constructor(id: string, key: string, question: Question, state: FeedState) {
    this.id = id
    this.key = key
    this.question = question
    this.state = state
  }

  subscribed({ topic, epoch, seq, resumed }: StreamSubscribed): void {
    const { state, position } = this
    this.topic = topic
    this.refusedSinceMs = null
    position.subscribed(epoch, seq, resumed || !state.hasState)
    if (!resumed && this.wasAccepted) state.voided()
    this.wasAccepted = true
    state.line(true)
  }

  /** The connection is lost: what is held is of the past until another one is made. */
  lost(): void {
    this.topic = null
    this.state.line(false)
  }

  /** Takes a message, if it is the next one; on `missing`, nothing that follows on this connection can be used. */
  receive(message: TopicMessage): Order {
    const { position, state } = this
    if (message.type === 'resync') {
      position.resync(message.seq, state.hasState)
      state.voided()
      return 'next'
    }
    const order = this.orderOf(message)
    if (order === 'missing') position.forget()
    if (order !== 'next') return order
    if (message.type === 'lag') state.lag(message.removed ?? [])
    else {
      state.told(payloadOf(message) as never[], ('removed' in message && message.removed) || [])
      if (message.type === 'snapshot' && message.remaining === 0) state.whole()
    }
    return order
  }

  private orderOf(message: Exclude<TopicMessage, StreamResync>): Order {
    const { position, state } = this
    if (message.type === 'lag') return position.lag(message.from, message.to, state.hasState)
    return message.type === 'snapshot'
      ? position.snapshot(message.seq, message.remaining)
      : position.next(message.seq)
  }
}
