import type { StreamMessage } from '../../schemas/stream.ts'
import type { StreamSubscribe } from '../../schemas/stream-commands.ts'
import type { StateWriter } from './channel.ts'
import { CLOSE_REASONS, type CloseReason } from './close-codes.ts'
import type { CommandReader } from './command-reader.ts'
import type { Frame } from './frame.ts'
import type { StreamStatistics } from './statistics.ts'
import { type Refusal, Subscriber } from './subscriber.ts'
import type { Topic } from './topic.ts'
import type { StreamTransport } from './transport.ts'

/** What clients are allowed; times in milliseconds. */
export interface ClientLimits {
  subscriptions: number
  bufferBytes: number
  stallTimeoutMs: number
  idleTimeoutMs: number
  /** A ping this often. */
  keepAliveMs: number
}

export interface StreamClientOptions {
  transport: StreamTransport
  limits: ClientLimits
  states: StateWriter
  statistics: StreamStatistics
  readCommand: CommandReader
  /** Returns the topic of a question, made anew if there is none. */
  openTopic: (command: StreamSubscribe) => Topic | Refusal
  onLeft: (topic: Topic) => void
  onFailure: (error: unknown) => void
  steadyNow: () => number
  now: () => number
}

/** This many malformed messages in a row are no mistake any more. */
const BAD_MESSAGES_MAX = 10
const ASKS_PER_SECOND = 20

/** One client: its subscriptions, what it may send, and how far it is behind in reading. */
export class StreamClient {
  isClosed = false
  private readonly options: StreamClientOptions
  private readonly byId = new Map<string, Subscriber>()
  private readonly byTopic = new Map<Topic, Subscriber>()
  private badInARow = 0
  private asksLeft: number
  private askedAtMs: number
  private isPumping = false
  private heardAtMs: number
  private subscribedAtMs: number
  private probedAtMs: number
  /** When bytes were last seen to leave, or nothing to wait. */
  private flowedAtMs: number
  private leftBytes = 0
  private closingAtMs: number | null = null

  constructor(options: StreamClientOptions) {
    const nowMs = options.steadyNow()
    this.options = options
    this.asksLeft = options.limits.subscriptions + ASKS_PER_SECOND
    this.askedAtMs = nowMs
    this.heardAtMs = nowMs
    this.subscribedAtMs = nowMs
    this.probedAtMs = nowMs
    this.flowedAtMs = nowMs
  }

  get subscriptions(): number {
    return this.byId.size
  }

  get waitingBytes(): number {
    return this.options.transport.waitingBytes
  }

  /** Whether one more message may wait. */
  get hasRoom(): boolean {
    return this.options.transport.waitingBytes < this.options.limits.bufferBytes
  }

  /** Catching up leaves half the room for what is new. */
  get hasRoomToCatchUp(): boolean {
    return this.options.transport.waitingBytes < this.options.limits.bufferBytes / 2
  }

  /** Takes what the client sent. */
  receive(text: string): void {
    if (this.isClosed || this.closingAtMs !== null) return
    this.heard()
    this.guard(() => this.obey(text))
  }

  /** The client gave a sign of life. */
  heard(): void {
    this.heardAtMs = this.options.steadyNow()
  }

  /** Subscribes it; returns why not, if not. `onAccepted` is called before anything is sent. */
  subscribe(command: StreamSubscribe, onAccepted: () => void = () => {}): Refusal | null {
    const { limits, states, statistics } = this.options
    const { id, policy = 'conflate' } = command
    if (this.byId.has(id))
      return { code: 'ID_IN_USE', message: `there is a subscription ${id} already: choose another id` }
    if (this.byId.size >= limits.subscriptions) {
      const message = `${limits.subscriptions} subscriptions is the most of one client: end one first`
      return { code: 'TOO_MANY_SUBSCRIPTIONS', message }
    }
    if (!this.mayAsk()) {
      const message = `more than ${ASKS_PER_SECOND} subscriptions a second: ask more slowly`
      return { code: 'TOO_MANY_SUBSCRIPTIONS', message }
    }
    const topic = this.options.openTopic(command)
    if ('code' in topic) return topic
    const twin = this.byTopic.get(topic)
    if (twin !== undefined) {
      const message = `the subscription ${twin.id} asks for the same already: use that one`
      return { code: 'ALREADY_SUBSCRIBED', message }
    }
    const subscriber = new Subscriber({ id, topic, client: this, states, statistics, policy })
    this.asksLeft--
    this.byId.set(id, subscriber)
    this.byTopic.set(topic, subscriber)
    topic.subscribers.add(subscriber)
    topic.emptySinceMs = null
    onAccepted()
    subscriber.begin(command.resume)
    return null
  }

  /** Each question costs a look at every market: as many as may be held at once, and then some more each second. */
  private mayAsk(): boolean {
    const { steadyNow, limits } = this.options
    const nowMs = steadyNow()
    const back = ((nowMs - this.askedAtMs) / 1_000) * ASKS_PER_SECOND
    this.asksLeft = Math.min(limits.subscriptions + ASKS_PER_SECOND, this.asksLeft + back)
    this.askedAtMs = nowMs
    return this.asksLeft >= 1
  }

  /** Tells the client something about its own affairs. */
  say(message: StreamMessage, resumeId: string | null = null): void {
    this.send(message.type, Buffer.from(JSON.stringify(message)), resumeId)
  }

  send(type: string, message: Buffer, resumeId: string | null): void {
    if (this.isClosed) return
    this.count(message)
    this.options.transport.send(type, message, resumeId)
  }

  sendFrame(frame: Frame, isResumable: boolean): void {
    if (this.isClosed) return
    this.count(frame.bytes)
    this.options.transport.sendFrame(frame, isResumable)
  }

  /** Everything that waited was read: what was held back can follow. */
  drained(): void {
    this.guard(() => {
      for (const subscriber of this.byId.values()) if (subscriber.isBehind) subscriber.pump()
    })
  }

  /** Goes on catching up in a later turn, after others had theirs. */
  pumpSoon(): void {
    if (this.isPumping) return
    this.isPumping = true
    setImmediate(() => {
      this.isPumping = false
      if (!this.isClosed) this.drained()
    })
  }

  closeSlow(): void {
    this.options.statistics.closedSlow++
    this.close('slow')
  }

  /** Looks whether the client is alive, reads, and has something to read. Called every now and then. */
  inspect(): void {
    const { transport, limits, steadyNow } = this.options
    const nowMs = steadyNow()
    if (this.byId.size > 0) this.subscribedAtMs = nowMs
    if (transport.waitingBytes === 0 || transport.leftBytes !== this.leftBytes) this.flowedAtMs = nowMs
    this.leftBytes = transport.leftBytes
    if (this.closingAtMs !== null) {
      if (nowMs - this.closingAtMs > CLOSE_MS) transport.terminate()
    } else if (nowMs - this.flowedAtMs > limits.stallTimeoutMs) this.close('stalled')
    else if (nowMs - this.heardAtMs > limits.idleTimeoutMs) this.close('silent')
    else if (nowMs - this.subscribedAtMs > limits.idleTimeoutMs) this.close('idle')
    else if (nowMs - this.probedAtMs > limits.keepAliveMs) {
      this.probedAtMs = nowMs
      transport.probe()
    }
  }

  close(why: CloseReason): void {
    if (this.isClosed || this.closingAtMs !== null) return
    this.closingAtMs = this.options.steadyNow()
    this.leaveAll()
    const [code, reason] = CLOSE_REASONS[why]
    this.options.transport.close(code, reason)
  }

  terminate(): void {
    this.options.transport.terminate()
  }

  /** The connection has ended. */
  closed(): void {
    this.isClosed = true
    this.leaveAll()
  }

  private obey(text: string): void {
    const read = this.options.readCommand(text)
    if (!('op' in read)) {
      this.refuse(read, read.id)
      this.options.statistics.badMessages++
      if (++this.badInARow === BAD_MESSAGES_MAX) this.close('abuse')
      return
    }
    this.badInARow = 0
    if (read.op === 'ping') this.say({ type: 'pong', at: new Date(this.options.now()).toISOString() })
    else if (read.op === 'unsubscribe') this.unsubscribe(read.id)
    else {
      const refusal = this.subscribe(read)
      if (refusal !== null) this.refuse(refusal, read.id)
    }
  }

  /** Whoever may have missed something because of a fault of ours is cut off: it comes back and resumes. */
  private guard(act: () => void): void {
    try {
      act()
    } catch (error) {
      this.options.onFailure(error)
      this.terminate()
    }
  }

  private unsubscribe(id: string): void {
    const subscriber = this.byId.get(id)
    if (subscriber === undefined) {
      const message = `there is no subscription ${id} on this connection`
      this.refuse({ code: 'UNKNOWN_ID', message }, id)
      return
    }
    this.leave(subscriber)
    this.say({ type: 'unsubscribed', id, topic: subscriber.topic.number })
  }

  private leaveAll(): void {
    for (const subscriber of [...this.byId.values()]) this.leave(subscriber)
  }

  private leave(subscriber: Subscriber): void {
    const { id, topic } = subscriber
    this.byId.delete(id)
    this.byTopic.delete(topic)
    topic.subscribers.delete(subscriber)
    if (topic.subscribers.size === 0) this.options.onLeft(topic)
  }

  private refuse({ code, message }: Refusal, id: string | undefined): void {
    this.say({ type: 'error', ...(id !== undefined && { id }), code, message })
  }

  private count(message: Buffer): void {
    const { statistics } = this.options
    statistics.messagesSent++
    statistics.bytesSent += message.length
  }
}

/** A client that was told to go has this long to say goodbye. */
const CLOSE_MS = 2_000
