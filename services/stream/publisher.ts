import type { StreamTrade } from '../../schemas/stream-payloads.ts'
import { formatPrice, formatSize } from '../numbers/decimal.ts'
import { isoTime } from '../snapshots/aggregate.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import type { BookTeller } from './book-teller.ts'
import type { ChangeCollector } from './change-collector.ts'
import { HEALTH_SLOT, type StateWriter } from './channel.ts'
import type { StreamStatistics } from './statistics.ts'
import type { Topic } from './topic.ts'
import type { Topics } from './topics.ts'

export interface PublisherOptions {
  store: SnapshotStore
  collector: ChangeCollector
  teller: BookTeller
  states: StateWriter
  topics: Topics
  statistics: StreamStatistics
  onFailure: (error: unknown) => void
  steadyNow: () => number
}

/** So many changed markets are told in one turn; with more, others have their turn in between. */
const MARKETS_A_TURN = 512
/** The same for all topics together that come at intervals: their bodies are larger. */
const PACED_A_TURN = 256
/** So many books that could not be told are tried again on a beat: what fails once may fail for all of them, always. */
const RETRIES_A_BEAT = 64
/** A message holds no more markets than this. */
const MARKETS_A_MESSAGE = 256

/** What is to go out as the next message of a topic. */
interface Outgoing {
  slots: number[]
  bodies: Buffer[]
  /** Trades belonged to it that could not be written. */
  isTorn: boolean
}

/**
 * Turns changes of the store into messages: those of books and trades at the end of the turn, all others on the beat. What a
 * market has to say is written once, whatever topics it belongs to.
 */
export class Publisher {
  readonly listener: ChangeCollector
  private readonly options: PublisherOptions
  private readonly outgoing = new Map<Topic, Outgoing>()
  private isAwake = false
  /** Slots whose books could not be told; on the next beat they are, whole. */
  private readonly untold = new Set<number>()
  /** Those of them whose beat has come. */
  private retries: number[] = []
  /** Topics whose time has come and that were not told yet. */
  private due: Topic[] = []
  /** Markets that may still be told in this turn. */
  private paceLeft = 0

  constructor(options: PublisherOptions) {
    this.options = options
    this.listener = options.collector
  }

  /** Has what changed told at the end of the turn. */
  wake(): void {
    if (this.isAwake) return
    this.isAwake = true
    setImmediate(() => {
      this.isAwake = false
      this.flush()
      if (this.options.collector.pending > 0) this.wake()
    })
  }

  /** A slot is a market's from now on, or nobody's. Called by the store: it must not throw. */
  bound(slot: number, id: string | null): void {
    try {
      for (const topic of this.options.topics.bind(slot, id)) this.prepare(topic)
      if (id !== null && this.options.topics.size > 0) this.options.collector.mark(slot)
      if (this.outgoing.size > 0) this.wake()
    } catch (error) {
      this.options.onFailure(error)
    }
  }

  /** A trade was told. Called by a feed: it must not throw. */
  traded(trade: TradeNote): void {
    const slot = this.options.store.get(trade.marketId)?.slot
    if (slot === undefined) return
    const topics = [...this.options.topics.of(slot)].filter(({ question }) => question.channel === 'trades')
    if (topics.length === 0) return
    try {
      const body = Buffer.from(JSON.stringify(tradeBody(trade)))
      for (const topic of topics) this.prepare(topic).bodies.push(body)
    } catch (error) {
      for (const topic of topics) this.prepare(topic).isTorn = true
      this.options.onFailure(error)
    }
    this.wake()
  }

  /** Tells what is due of the topics that come at intervals, a share of it a turn, and again what could not be told. */
  beat(): void {
    if (this.due.length > 0) return
    const { topics, steadyNow } = this.options
    const nowMs = steadyNow()
    for (const topic of topics.all()) {
      if (topic.isPaced && nowMs >= topic.dueAtMs) this.due.push(topic)
      if (!topic.isPaced && topic.hasRemovals) this.prepare(topic)
    }
    this.retries = [...this.untold].slice(0, RETRIES_A_BEAT)
    if (this.retries.length > 0 || this.outgoing.size > 0) this.wake()
    this.tellDue()
  }

  private tellDue(): void {
    const { onFailure, steadyNow } = this.options
    this.paceLeft = PACED_A_TURN
    let told = 0
    for (const topic of this.due) {
      if (this.paceLeft <= 0) break
      told++
      if (topic.isClosed) continue
      const nowMs = steadyNow()
      try {
        if (this.tellWaiting(topic)) topic.dueAtMs = nextDue(topic, nowMs)
      } catch (error) {
        topic.dueAtMs = nextDue(topic, nowMs)
        onFailure(error)
      }
    }
    this.due = this.due.slice(told)
    if (this.due.length > 0) setImmediate(() => this.tellDue())
  }

  private flush(): void {
    const { collector, onFailure } = this.options
    for (const slot of this.retries.splice(0)) if (this.untold.delete(slot)) this.tryToTell(slot, 0)
    for (const slot of collector.take(MARKETS_A_TURN)) this.tryToTell(slot, collector.changesTaken(slot))
    const outgoing = [...this.outgoing]
    this.outgoing.clear()
    for (const [topic, { slots, bodies, isTorn }] of outgoing) {
      if (topic.isClosed) continue
      let isLost = isTorn
      try {
        send(topic, slots, bodies)
      } catch (error) {
        for (const slot of slots) this.lose(slot)
        isLost = !topic.hasState
        onFailure(error)
      }
      if (isLost) this.leaveOut(topic)
    }
  }

  private tryToTell(slot: number, changes: number): void {
    try {
      this.changed(slot, changes)
    } catch (error) {
      this.lose(slot)
      this.options.onFailure(error)
    }
  }

  private leaveOut(topic: Topic): void {
    try {
      topic.leaveOut()
    } catch (error) {
      this.options.onFailure(error)
    }
  }

  /** What a book had to say did not get out: followers know nothing of it, so it is told whole, soon. */
  private lose(slot: number): void {
    this.options.teller.lose(slot)
    this.untold.add(slot)
  }

  /** Tells that a slot changed, so many times since the last. */
  private changed(slot: number, changes: number): void {
    const { store, topics, teller, collector, states } = this.options
    const record = store.at(slot)
    if (record === undefined) return
    const { joined, left } = topics.decide(record)
    for (const topic of left) if (topic.hasRemovals && !topic.isPaced) this.prepare(topic)
    // Before the book is written: that may fail.
    for (const topic of topics.of(slot)) if (topic.isPaced) this.mark(topic, slot, changes)
    const body = teller.next(record, collector.takeLevels(slot))
    let whole: Buffer | null = null
    for (const topic of topics.of(slot)) {
      if (topic.question.channel !== 'book') continue
      if (joined.includes(topic)) whole ??= states.bodies.wholeBook(record)
      const told = joined.includes(topic) ? whole : body
      if (told === null) continue
      const { slots, bodies } = this.prepare(topic)
      slots.push(slot)
      bodies.push(told)
    }
  }

  private mark(topic: Topic, slot: number, changes: number): void {
    const isFirst = !topic.waiting.has(slot)
    topic.waiting.add(slot)
    if (topic.question.channel !== 'ticker') return
    this.options.statistics.tickersConflated += isFirst ? Math.max(0, changes - 1) : changes
  }

  /**
   * Tells the latest state of what waits; returns false when some of it has to wait on. What fails waits for the topic's
   * next time, behind the others.
   */
  private tellWaiting(topic: Topic): boolean {
    const { waiting, question } = topic
    const isHealth = question.channel === 'health'
    if (isHealth && topic.subscribers.size > 0) waiting.add(HEALTH_SLOT)
    const slots: number[] = []
    const bodies: Buffer[] = []
    const lost: number[] = []
    for (const slot of waiting) {
      if (this.paceLeft-- <= 0) break
      waiting.delete(slot)
      try {
        const state = topic.members.has(slot) ? this.options.states.state(question, slot) : null
        if (state === null || !(topic.isNews(slot, state.said) || isHealth)) continue
        slots.push(slot)
        bodies.push(state.bytes)
      } catch (error) {
        lost.push(slot)
        this.options.onFailure(error)
      }
    }
    const isDone = waiting.size === 0
    try {
      if (bodies.length > 0 || topic.hasRemovals) send(topic, slots, bodies)
      if (question.channel === 'ticker') this.options.statistics.tickersPublished += bodies.length
    } catch (error) {
      lost.push(...slots)
      this.options.onFailure(error)
    }
    for (const slot of lost) topic.lose(slot)
    if (question.channel === 'ticker') this.options.statistics.tickersFailed += lost.length
    return isDone
  }

  private prepare(topic: Topic): Outgoing {
    const known = this.outgoing.get(topic)
    if (known !== undefined) return known
    const fresh: Outgoing = { slots: [], bodies: [], isTorn: false }
    if (!topic.isPaced) this.outgoing.set(topic, fresh)
    return fresh
  }
}

/** The next time of a topic's own rhythm that is to come: late once is not late for ever. */
function nextDue({ dueAtMs, question }: Topic, nowMs: number): number {
  const missed = Math.floor((nowMs - dueAtMs) / question.intervalMs)
  return dueAtMs + (missed + 1) * question.intervalMs
}

function send(topic: Topic, slots: readonly number[], bodies: readonly Buffer[]): void {
  if (bodies.length === 0 && !topic.hasRemovals) return
  for (let from = 0; from === 0 || from < bodies.length; from += MARKETS_A_MESSAGE) {
    const to = from + MARKETS_A_MESSAGE
    topic.publish(slots.slice(from, to), bodies.slice(from, to))
  }
}

function tradeBody(trade: TradeNote): StreamTrade {
  return {
    id: trade.marketId,
    tradeId: trade.tradeId,
    venueTime: isoTime(trade.venueTimeMs),
    receivedAt: isoTime(trade.receivedAtMs) as string,
    price: formatPrice(trade.price),
    size: formatSize(trade.size),
    takerSide: trade.takerSide
  }
}
