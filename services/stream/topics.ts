import type { StreamSubscribe } from '../../schemas/stream-commands.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { BookTeller } from './book-teller.ts'
import type { ChangeCollector } from './change-collector.ts'
import type { StateWriter } from './channel.ts'
import { type Question, type QuestionDefaults, questionKey, questionOf } from './question.ts'
import { RingBudget, type RingLimits } from './ring.ts'
import type { Refusal } from './subscriber.ts'
import { Topic } from './topic.ts'

export interface TopicsOptions {
  store: SnapshotStore
  run: string
  rings: RingLimits
  topicsMax: number
  /** A topic that nobody takes is kept for so long, for who lost the connection. */
  lingerMs: number
  defaults: QuestionDefaults
  /** Whether a market or event that is not known may exist all the same: its venue's were not found yet. */
  mayLack: (id: string) => boolean
  collector: ChangeCollector
  teller: BookTeller
  states: StateWriter
  onFailure: (error: unknown) => void
  steadyNow: () => number
}

/** A tick's sends are spread over so many groups of subscribers, so that none of them holds up the others. */
const COHORTS = 20
/** A group is filled to here before the next one is begun. */
const COHORT_FULL = 50

/** Topics that nobody takes cost as much as others: one client that asks and asks must not fill the room with them. */
const EMPTY_MAX = 200

/** Topics that a market has just come to, and that it has left. */
interface Moves {
  joined: readonly Topic[]
  left: readonly Topic[]
}

const NO_MOVES: Moves = { joined: [], left: [] }
/** A verdict as one number: its reasons above its source. */
const SOURCE_SCALE = 4

/** All topics: found by their question, by the slots of their markets, and by how their markets are chosen. */
export class Topics {
  readonly budget: RingBudget
  private readonly options: TopicsOptions
  private readonly byKey = new Map<string, Topic>()
  private readonly bySlot = new Map<number, Set<Topic>>()
  /** Topics that name a market, by its id; the market need not be served now. */
  private readonly byId = new Map<string, Set<Topic>>()
  /** Topics whose markets come and go by what they are. */
  private readonly broad = new Set<Topic>()
  /** What each slot was when it was last decided where it belongs: its metadata, 0 before, and its verdict. */
  private readonly decidedMeta: Float64Array
  private readonly decidedVerdict: Float64Array
  /** How many topics each slot has tickers in. */
  private readonly tickerTopics: Uint32Array
  private withTickers = 0
  private numbers = 0

  constructor(options: TopicsOptions) {
    this.options = options
    this.budget = new RingBudget(options.rings)
    const { capacityMarkets } = options.store.books
    this.decidedMeta = new Float64Array(capacityMarkets)
    this.decidedVerdict = new Float64Array(capacityMarkets)
    this.tickerTopics = new Uint32Array(capacityMarkets)
  }

  get size(): number {
    return this.byKey.size
  }

  /** Markets that belong to any topic. */
  get activeMarkets(): number {
    return this.bySlot.size
  }

  /** Markets whose tickers are told. */
  get tickerMarkets(): number {
    return this.withTickers
  }

  all(): IterableIterator<Topic> {
    return this.byKey.values()
  }

  of(slot: number): ReadonlySet<Topic> {
    return this.bySlot.get(slot) ?? NONE
  }

  /** Returns the topic of a valid question, made if there is none. */
  open(command: StreamSubscribe): Topic | Refusal {
    const question = questionOf(command, this.options.defaults)
    const key = questionKey(question)
    const cohort = question.channel === 'ticker' ? this.cohortOf(key, command) : 0
    const refusal = this.missing(question, command.resume !== undefined)
    if (refusal !== null) return refusal
    const known = this.byKey.get(keyOf(key, cohort))
    return known ?? this.makeRoom() ?? this.create(keyOf(key, cohort), question)
  }

  /** A slot is a market's from now on, or nobody's. Returns the topics that it left. */
  bind(slot: number, id: string | null): Topic[] {
    const left = [...this.of(slot)]
    for (const topic of left) this.leave(topic, slot)
    this.decidedMeta[slot] = 0
    if (id === null) this.options.states.forget(slot)
    return left
  }

  private isDecided({ slot, metaVersion }: MarketRecord): boolean {
    return this.decidedMeta[slot] === metaVersion && this.decidedVerdict[slot] === this.verdictOf(slot)
  }

  /** A verdict as one number. */
  private verdictOf(slot: number): number {
    const { reasons, source } = this.options.store.books.verdicts
    return (reasons[slot] as number) * SOURCE_SCALE + (source[slot] as number)
  }

  /** Decides anew where a market belongs, if something that decides it changed. Returns the topics concerned. */
  decide(record: MarketRecord): Moves {
    const { slot, metaVersion } = record
    const verdict = this.verdictOf(slot)
    const isNew = this.decidedMeta[slot] !== metaVersion
    if (!isNew && this.decidedVerdict[slot] === verdict) return NO_MOVES
    const joined: Topic[] = []
    const left: Topic[] = []
    for (const topic of this.broad) {
      if (!isNew && !topic.membership.byVerdict) continue
      const belongs = topic.membership.includes(record)
      if (belongs === topic.members.has(slot)) continue
      if (belongs) joined.push(topic)
      else left.push(topic)
    }
    for (const topic of this.byId.get(record.id) ?? NONE) if (!topic.members.has(slot)) joined.push(topic)
    for (const topic of joined) this.join(topic, record)
    for (const topic of left) this.leave(topic, slot)
    // Not before: what failed halfway is decided anew.
    this.decidedMeta[slot] = metaVersion
    this.decidedVerdict[slot] = verdict
    return { joined, left }
  }

  /** Closes the topics that nobody has taken for long. */
  sweep(): void {
    const untilMs = this.options.steadyNow() - this.options.lingerMs
    for (const topic of [...this.byKey.values()])
      if (topic.emptySinceMs !== null && topic.emptySinceMs <= untilMs) this.close(topic)
  }

  closeAll(): void {
    for (const topic of [...this.byKey.values()]) this.close(topic)
  }

  /** The cohort that a resumed client was in; else the first that is not full, or the smallest. */
  private cohortOf(key: string, { resume }: StreamSubscribe): number {
    const sizes: number[] = []
    for (let cohort = 0; cohort < COHORTS; cohort++) {
      const topic = this.byKey.get(keyOf(key, cohort))
      if (topic !== undefined && topic.epoch === resume?.epoch) return cohort
      sizes.push(topic?.subscribers.size ?? 0)
    }
    const free = sizes.findIndex((size) => size < COHORT_FULL)
    return free >= 0 ? free : sizes.indexOf(Math.min(...sizes))
  }

  /**
   * Returns why a question that names what is not served is refused. Who resumes had it: what was served then is gone, unless
   * it may yet be found, and does not stand in the way of the rest.
   */
  private missing({ markets, event }: Question, isResume: boolean): Refusal | null {
    const { store, mayLack } = this.options
    const isMistake = (one: string) => !isResume || mayLack(one)
    const id = markets?.find((one) => store.get(one) === undefined && isMistake(one))
    if (id !== undefined) {
      const message = `no market ${id}: see /v1/markets/index for the ids that are served`
      return { code: 'MARKET_NOT_FOUND', message }
    }
    if (event === null || store.getEvent(event) !== undefined || !isMistake(event)) return null
    return {
      code: 'EVENT_NOT_FOUND',
      message: `no event ${event}: see /v1/events for the ids that are served`
    }
  }

  private makeRoom(): Refusal | null {
    const { topicsMax } = this.options
    let oldest: Topic | null = null
    let empty = 0
    for (const topic of this.byKey.values()) {
      if (topic.emptySinceMs === null) continue
      empty++
      if (topic.emptySinceMs < (oldest?.emptySinceMs ?? Number.POSITIVE_INFINITY)) oldest = topic
    }
    if (empty < EMPTY_MAX && this.byKey.size < topicsMax) return null
    if (oldest === null) {
      const message = `${topicsMax} different questions are being answered, which is the most: ask what others ask, or later`
      return { code: 'TOO_MANY_TOPICS', message }
    }
    this.close(oldest)
    return null
  }

  private create(key: string, question: Question): Topic {
    const { run, store, onFailure, steadyNow } = this.options
    const number = ++this.numbers
    const { verdicts } = store.books
    const topic = new Topic({ number, key, run, question, verdicts, budget: this.budget, onFailure })
    this.byKey.set(key, topic)
    if (topic.isPaced) topic.dueAtMs = steadyNow() + ((number * PHASE_MS) % question.intervalMs)
    const { markets, channel } = question
    if (channel === 'health') return topic
    if (markets === null) {
      this.broad.add(topic)
    }
    for (const id of markets ?? []) add(this.byId, id, topic)
    this.options.collector.isScanning = this.broad.size > 0
    if (markets === null) {
      for (const record of store.records()) {
        // What was not looked at since it changed may be as it was again by the time that it is.
        if (!this.isDecided(record)) this.decidedMeta[record.slot] = 0
        if (topic.membership.includes(record)) this.join(topic, record)
      }
    } else {
      for (const id of markets) {
        const record = store.get(id)
        if (record !== undefined) this.join(topic, record)
      }
    }
    return topic
  }

  private close(topic: Topic): void {
    this.byKey.delete(topic.key)
    this.broad.delete(topic)
    for (const id of topic.question.markets ?? []) remove(this.byId, id, topic)
    for (const slot of [...topic.members.keys()]) this.leave(topic, slot)
    topic.isClosed = true
    topic.ring.close()
    this.options.collector.isScanning = this.broad.size > 0
  }

  private join(topic: Topic, { slot, id }: MarketRecord): void {
    topic.join(slot, id)
    add(this.bySlot, slot, topic)
    const { collector, teller } = this.options
    const { channel } = topic.question
    if (channel === 'book') teller.follow(slot)
    if (channel === 'ticker') this.countTicker(slot, 1)
    collector.track(slot, true, teller.isFollowed(slot))
  }

  private leave(topic: Topic, slot: number): void {
    topic.leave(slot)
    remove(this.bySlot, slot, topic)
    const { collector, teller, states } = this.options
    const { channel } = topic.question
    if (channel === 'book') teller.unfollow(slot)
    if (channel === 'ticker') this.countTicker(slot, -1)
    const isTracked = this.bySlot.has(slot)
    collector.track(slot, isTracked, teller.isFollowed(slot))
    if (!isTracked) states.forget(slot)
  }

  private countTicker(slot: number, change: 1 | -1): void {
    const before = this.tickerTopics[slot] as number
    this.tickerTopics[slot] = before + change
    if (before === 0 || before + change === 0) this.withTickers += change
  }
}

/** Topics that come at the same interval come at different times. */
const PHASE_MS = 50
const NONE: ReadonlySet<Topic> = new Set()

function keyOf(question: string, cohort: number): string {
  return `${question} ${cohort}`
}

function add<Key>(sets: Map<Key, Set<Topic>>, key: Key, topic: Topic): void {
  const set = sets.get(key)
  if (set === undefined) sets.set(key, new Set([topic]))
  else set.add(topic)
}

function remove<Key>(sets: Map<Key, Set<Topic>>, key: Key, topic: Topic): void {
  const set = sets.get(key)
  set?.delete(topic)
  if (set?.size === 0) sets.delete(key)
}
