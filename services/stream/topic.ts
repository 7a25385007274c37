import { HEALTH_SLOT, messageType, payloadField } from './channel.ts'
import { Frame } from './frame.ts'
import { Membership, type Question } from './question.ts'
import { FrameRing, type RingBudget } from './ring.ts'
import type { Subscriber } from './subscriber.ts'

/** A market of a topic. */
export interface Member {
  id: string
  /** The newest message that told something of it, or 0. */
  lastSeq: number
  /** What every subscriber that was told its state was told last; null before anybody was. */
  said: Buffer | null
  /** Not all were told the same: the next message must come, even if it says what an earlier one said. */
  isMixed: boolean
}

export interface TopicOptions {
  number: number
  key: string
  run: string
  question: Question
  verdicts: ConstructorParameters<typeof Membership>[1]
  budget: RingBudget
  onFailure: (error: unknown) => void
}

/** A `lag` can name this many markets that left; beyond, everything is told anew. */
const REMOVALS_MAX = 1_000

/**
 * One question that somebody asked: its numbering, its last messages and all who asked it. A message is put together once,
 * whoever takes it.
 */
export class Topic {
  readonly number: number
  readonly key: string
  readonly epoch: string
  readonly question: Question
  readonly membership: Membership
  readonly messageType: string
  readonly members = new Map<number, Member>()
  readonly subscribers = new Set<Subscriber>()
  readonly ring: FrameRing
  /** Markets that changed and wait for their turn, where messages come at intervals. */
  readonly waiting = new Set<number>()
  seq = 0
  dueAtMs = 0
  /** Since when nobody takes it; null while somebody does. */
  emptySinceMs: number | null = null
  /** Nobody can come back to it. */
  isClosed = false
  private readonly onFailure: (error: unknown) => void
  private removedNow: string[] = []
  private removals: { seq: number; id: string }[] = []
  /** Removals up to this message are not known any more. */
  private removalsForgottenTo = 0

  constructor({ number, key, run, question, verdicts, budget, onFailure }: TopicOptions) {
    this.number = number
    this.key = key
    // Of the run and of the topic: one that is made anew counts from 0 again.
    this.epoch = `${run}.${number}`
    this.question = question
    this.membership = new Membership(question, verdicts)
    this.messageType = messageType(question.channel)
    this.ring = new FrameRing(budget)
    this.onFailure = onFailure
    if (question.channel === 'health') this.join(HEALTH_SLOT, '')
  }

  /** Whether messages come at intervals, with the latest state, and not as things happen. */
  get isPaced(): boolean {
    return this.question.intervalMs > 0
  }

  get hasState(): boolean {
    return this.question.channel !== 'trades'
  }

  get marketCount(): number {
    return this.question.channel === 'health' ? 0 : this.members.size
  }

  join(slot: number, id: string): void {
    // Whoever subscribed before it came has heard nothing of it, whatever one that comes later is told at once.
    const isMixed = this.seq > 0 || this.subscribers.size > 0 || this.emptySinceMs !== null
    this.members.set(slot, { id, lastSeq: 0, said: null, isMixed })
  }

  /** A market belongs to it no longer: the next message says so. */
  leave(slot: number): void {
    const member = this.members.get(slot)
    if (member === undefined) return
    this.members.delete(slot)
    this.waiting.delete(slot)
    if (this.hasState) this.removedNow.push(member.id)
  }

  get hasRemovals(): boolean {
    return this.removedNow.length > 0
  }

  /** One subscriber by itself was told the state of a market. */
  toldOne(slot: number, said: Buffer): void {
    const member = this.members.get(slot)
    if (member === undefined || !this.isPaced) return
    if (member.said === null) member.said = said
    else if (!member.said.equals(said)) member.isMixed = true
  }

  /** All subscribers are about to be told the state of a market. Returns whether that says anything new to any of them. */
  isNews(slot: number, said: Buffer): boolean {
    const member = this.members.get(slot)
    if (member === undefined) return false
    if (!member.isMixed && member.said?.equals(said) === true) return false
    member.said = said
    member.isMixed = false
    return true
  }

  /** What was to be told of a market did not get out: it is to be told, whatever it says then. */
  lose(slot: number): void {
    const member = this.members.get(slot)
    if (member === undefined) return
    member.isMixed = true
    this.waiting.add(slot)
  }

  /** Sends what markets have to say, and who left, as one message to all subscribers. */
  publish(slots: readonly number[], bodies: readonly Buffer[]): void {
    const removed = this.removedNow
    const seq = this.seq + 1
    const frame = new Frame(seq, this.compose(seq, removed, bodies), this)
    this.removedNow = []
    for (const slot of slots) {
      const member = this.members.get(slot)
      if (member !== undefined) member.lastSeq = seq
    }
    this.remember(seq, removed)
    this.deliver(frame)
  }

  /** Says in the place of a message that it is left out: what it held has no latest state that could be told instead. */
  leaveOut(): void {
    const seq = this.seq + 1
    const text = `{"type":"lag","topic":${this.number},"from":${seq},"to":${seq}}`
    this.deliver(new Frame(seq, Buffer.from(text), { epoch: this.epoch, messageType: 'lag' }))
  }

  /** To all who are up to date, and to who comes back for it. */
  private deliver(frame: Frame): void {
    this.seq = frame.seq
    this.ring.push(frame)
    for (const subscriber of this.subscribers) {
      try {
        subscriber.offer(frame)
      } catch (error) {
        this.onFailure(error)
        // It may have missed this message, and would not know.
        subscriber.abandon()
      }
    }
    frame.delivered()
  }

  /** Returns who left in or after a message; null when that is not known any more. */
  removedSince(seq: number): string[] | null {
    if (seq <= this.removalsForgottenTo) return null
    const ids = new Set<string>()
    for (const removal of this.removals) if (removal.seq >= seq) ids.add(removal.id)
    for (const { id } of this.members.values()) ids.delete(id)
    return [...ids]
  }

  /** Returns the slots of which something was told in or after a message. */
  toldSince(seq: number): number[] {
    const slots: number[] = []
    for (const [slot, { lastSeq }] of this.members) if (lastSeq >= seq) slots.push(slot)
    return slots
  }

  private remember(seq: number, removed: readonly string[]): void {
    for (const id of removed) this.removals.push({ seq, id })
    const extra = this.removals.length - REMOVALS_MAX
    if (extra <= 0) return
    for (const { seq } of this.removals.splice(0, extra)) this.removalsForgottenTo = seq
  }

  private compose(seq: number, removed: readonly string[], bodies: readonly Buffer[]): Buffer {
    const { channel } = this.question
    const left = removed.length === 0 ? '' : `,"removed":${JSON.stringify(removed)}`
    const head = `{"type":"${this.messageType}","topic":${this.number},"seq":${seq}${left},`
    return Buffer.concat(listOf(head, channel, bodies))
  }
}

/** Returns the pieces of a message that holds those bodies in its channel's field; `head` ends with a comma. */
export function listOf(head: string, channel: Question['channel'], bodies: readonly Buffer[]): Buffer[] {
  const field = payloadField(channel)
  if (channel === 'health') return [Buffer.from(`${head}"${field}":`), ...bodies, CLOSE]
  const pieces: Buffer[] = [Buffer.from(`${head}"${field}":[`)]
  for (const body of bodies) {
    if (pieces.length > 1) pieces.push(COMMA)
    pieces.push(body)
  }
  pieces.push(CLOSE_LIST)
  return pieces
}

const COMMA = Buffer.from(',')
const CLOSE = Buffer.from('}')
const CLOSE_LIST = Buffer.from(']}')
