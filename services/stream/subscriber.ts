import type { StreamErrorCode, StreamSubscribed } from '../../schemas/stream.ts'
import type { StateWriter } from './channel.ts'
import type { StreamClient } from './client.ts'
import type { Frame } from './frame.ts'
import type { StreamStatistics } from './statistics.ts'
import { listOf, type Topic } from './topic.ts'

export interface SubscriberOptions {
  id: string
  topic: Topic
  client: StreamClient
  states: StateWriter
  statistics: StreamStatistics
  policy: 'conflate' | 'disconnect'
}

export interface Refusal {
  code: StreamErrorCode
  message: string
}

/** Why what a client holds is void. */
export type ResyncReason = 'too_old' | 'other_epoch' | 'unknown_seq' | 'too_slow'

/** State is told in slices of so many markets or bytes, whatever comes first; others are served in between. */
const SLICE_MARKETS = 64
const SLICE_BYTES = 128 << 10

/**
 * One client's place in one topic. It is up to date, or behind: then it takes missed messages from the ring, or, when they
 * are conflated, the latest state of the markets that they concerned. What waits is a position and a set of slots, never
 * messages: its memory is bounded however slow the client.
 */
export class Subscriber {
  readonly id: string
  readonly topic: Topic
  private readonly options: SubscriberOptions
  /** The last message that it was sent, or that a `lag` covers. */
  private sent: number
  /** It takes from the ring what is after `sent`, before anything new. */
  private isReplaying = false
  /** The first message that it was not sent for want of room; 0: none. */
  private skippedFrom = 0
  /** Markets whose state is to be told. */
  private readonly untold = new Set<number>()

  constructor(options: SubscriberOptions) {
    this.options = options
    this.id = options.id
    this.topic = options.topic
    this.sent = options.topic.seq
  }

  /** Says that it is subscribed, and begins to bring it up to date. */
  begin(resume: { epoch: string; seq: number } | undefined): void {
    const { id, topic, options } = this
    const problem = resume === undefined ? null : this.positionProblem(resume)
    const isResumed = resume !== undefined && problem === null
    if (isResumed) {
      this.sent = resume.seq
      this.isReplaying = this.sent < topic.seq
      options.statistics.resumed++
    }
    const isWhole = isResumed || !topic.hasState
    const subscribed: StreamSubscribed = {
      type: 'subscribed',
      id,
      topic: topic.number,
      channel: topic.question.channel,
      epoch: topic.epoch,
      seq: this.sent,
      resumed: isResumed,
      markets: topic.marketCount
    }
    options.client.say(subscribed, isWhole ? `${topic.epoch}-${this.sent}` : null)
    if (problem !== null) this.resync(problem)
    else if (!isResumed) this.tellAll()
    this.pump()
  }

  /** Takes a new message of the topic, if it is up to date and there is room. */
  offer(frame: Frame): void {
    if (this.isReplaying || this.skippedFrom > 0) return
    const { client, policy } = this.options
    if (client.hasRoom) {
      client.sendFrame(frame, this.untold.size === 0)
      this.sent = frame.seq
    } else if (policy === 'disconnect') client.closeSlow()
    else if (this.topic.hasState) this.skippedFrom = frame.seq
    // Trades have no latest state: those that the ring still has then are sent after all.
    else this.isReplaying = true
  }

  /** Goes on bringing it up to date while there is room; the client calls it again when more room came. */
  pump(): void {
    const { client } = this.options
    while (!client.isClosed && this.isBehind && client.hasRoomToCatchUp) {
      if (this.isReplaying) this.replayOne()
      else if (this.skippedFrom > 0) this.conflate()
      else {
        this.tellSlice()
        if (this.untold.size === 0) continue
        client.pumpSoon()
        break
      }
    }
  }

  /** Ends its client at once. */
  abandon(): void {
    this.options.client.terminate()
  }

  get isBehind(): boolean {
    return this.isReplaying || this.skippedFrom > 0 || this.untold.size > 0
  }

  private positionProblem({ epoch, seq }: { epoch: string; seq: number }): ResyncReason | null {
    const { topic } = this
    if (epoch !== topic.epoch) return 'other_epoch'
    if (seq > topic.seq) return 'unknown_seq'
    return seq < topic.seq && topic.ring.get(seq + 1) === undefined ? 'too_old' : null
  }

  private replayOne(): void {
    const { topic, options } = this
    const frame = topic.ring.get(this.sent + 1)
    if (frame !== undefined) {
      options.client.sendFrame(frame, this.untold.size === 0)
      frame.delivered()
      this.sent = frame.seq
    } else if (topic.hasState) {
      // It was too slow for the ring.
      this.skippedFrom = this.sent + 1
      this.isReplaying = false
      return
    } else this.lose()
    this.isReplaying = this.sent < topic.seq
  }

  /** Tells which trades are gone: they have no latest state. */
  private lose(): void {
    const from = this.sent + 1
    const to =
      this.topic.ring.get(this.topic.seq) === undefined ? this.topic.seq : this.topic.ring.firstSeq - 1
    this.sent = to
    this.lag(from, to, [])
  }

  /** Leaves out what was missed, and has the latest state of what it concerned told instead. */
  private conflate(): void {
    const { topic, skippedFrom } = this
    const removed = topic.removedSince(skippedFrom)
    this.sent = topic.seq
    this.skippedFrom = 0
    if (removed === null) {
      this.resync('too_slow')
      return
    }
    this.lag(skippedFrom, topic.seq, removed)
    for (const slot of topic.toldSince(skippedFrom)) this.untold.add(slot)
    // A message that brought nothing but departures leaves nothing to be told: the snapshot that ends a lag is empty.
    this.tellSlice()
  }

  private lag(from: number, to: number, removed: readonly string[]): void {
    const { client, statistics } = this.options
    statistics.lags++
    client.say({
      type: 'lag',
      topic: this.topic.number,
      from,
      to,
      ...(removed.length > 0 && { removed: [...removed] })
    })
  }

  private resync(reason: ResyncReason): void {
    const { client, statistics } = this.options
    statistics.resyncs++
    client.say({ type: 'resync', topic: this.topic.number, seq: this.topic.seq, reason })
    this.tellAll()
  }

  /** Has the state of every market told; with no market, the state is empty, and that is told at once. */
  private tellAll(): void {
    this.untold.clear()
    if (!this.topic.hasState) return
    for (const slot of this.topic.members.keys()) this.untold.add(slot)
    if (this.untold.size === 0) this.tellSlice()
  }

  private tellSlice(): void {
    const { topic, untold } = this
    const { client, states } = this.options
    const bodies: Buffer[] = []
    let bytes = 0
    for (const slot of untold) {
      if (bodies.length === SLICE_MARKETS || bytes > SLICE_BYTES) break
      untold.delete(slot)
      if (!topic.members.has(slot)) continue
      const body = states.state(topic.question, slot)
      if (body === null) continue
      topic.toldOne(slot, body.said)
      bodies.push(body.bytes)
      bytes += body.bytes.length
    }
    const head = `{"type":"snapshot","topic":${topic.number},"seq":${this.sent},"remaining":${untold.size},`
    const message = Buffer.concat(listOf(head, topic.question.channel, bodies))
    client.send('snapshot', message, untold.size === 0 ? `${topic.epoch}-${this.sent}` : null)
  }
}
