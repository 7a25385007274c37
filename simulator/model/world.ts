import { type Actor, act, type Belief, quote, seedBook } from './behaviour.ts'
import { setLevel } from './book.ts'
import { Catalogue } from './catalogue.ts'
import { Pacer } from './pacer.ts'
import { inventTopic, type Question, type Topic } from './questions.ts'
import { createRandom, type Random } from './random.ts'
import { moveToGrid } from './tick-grid.ts'
import type { Happening, PriceE4, SimEvent, SimMarket, SimVenue, World } from './types.ts'

export interface WorldOptions {
  seed: number
  marketsPerVenue: number
  /** The share of markets, 0 to 1, whose question both venues ask. */
  sharedShare: number
  /** Epoch milliseconds. */
  now: () => number
  /** One market a venue is listed and one closed in this time while running; 0 for none. Default 20_000. */
  churnMs?: number
  /** From listing to opening; 0 opens at once. Default 2_000. */
  openDelayMs?: number
  /** From closing to settlement of a market that churn closed. Default 8_000. */
  settleDelayMs?: number
  /** Settled markets kept for REST, per venue; older ones are forgotten. Default 200. */
  retainSettled?: number
}

const VENUES = ['kalshi', 'polymarket'] as const
const DEFAULT_RATE = 200
const DAY_MS = 86_400_000

/** Returns a world of seeded markets with filled books; nothing moves before `start` or `step`. */
export function createWorld(options: WorldOptions): World {
  return new MarketWorld(options)
}

class MarketWorld implements World {
  readonly seed: number
  readonly #options: Required<WorldOptions>
  readonly #random: Random
  readonly #catalogue: Catalogue
  readonly #actors = new Map<SimMarket, Actor>()
  readonly #active: Record<SimVenue, Actor[]> = { kalshi: [], polymarket: [] }
  readonly #settled: Record<SimVenue, SimMarket[]> = { kalshi: [], polymarket: [] }
  readonly #counts: Record<SimVenue, number> = { kalshi: 0, polymarket: 0 }
  readonly #listeners = new Set<(happening: Happening) => void>()
  readonly #pacer: Pacer

  constructor(options: WorldOptions) {
    this.#options = {
      churnMs: 20_000,
      openDelayMs: 2_000,
      settleDelayMs: 8_000,
      retainSettled: 200,
      ...options
    }
    this.seed = options.seed
    this.#random = createRandom(options.seed)
    this.#catalogue = new Catalogue(this.#random.fork())
    const step = () => {
      const { kalshi, polymarket } = this.#active
      if (kalshi.length + polymarket.length === 0) return false
      this.step()
      return true
    }
    this.#pacer = new Pacer({ now: options.now, step }, DEFAULT_RATE)
    if (this.#options.churnMs > 0) this.#scheduleChurn()
    this.#populate()
  }

  get rate() {
    return this.#pacer.rate
  }

  get running() {
    return this.#pacer.running
  }

  now() {
    return this.#options.now()
  }

  happenings(venue: SimVenue) {
    return this.#counts[venue]
  }

  markets(venue: SimVenue) {
    return [...this.#catalogue.markets[venue].values()]
  }

  events(venue: SimVenue) {
    return [...this.#catalogue.events[venue].values()]
  }

  market(venue: SimVenue, id: string) {
    return this.#catalogue.markets[venue].get(id)
  }

  token(tokenId: string) {
    return this.#catalogue.token(tokenId)
  }

  onHappening(listener: (happening: Happening) => void) {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  setRate(perSecond: number) {
    this.#pacer.rate = perSecond
  }

  start() {
    this.#pacer.start()
  }

  stop() {
    this.#pacer.stop()
  }

  step(venue?: SimVenue): Happening {
    const random = this.#random
    const { kalshi, polymarket } = this.#active
    const actors = venue
      ? this.#active[venue]
      : kalshi.length === 0 || (polymarket.length > 0 && random.chance(0.5))
        ? polymarket
        : kalshi
    // Squared, so that activity is skewed: a few markets are busy, most are quiet.
    const actor = actors[Math.floor(actors.length * random.next() ** 2)]
    if (actor === undefined) throw new RangeError('no market is active')
    const happening = act(actor, random, this.now())
    this.#tell(happening)
    return happening
  }

  act(market: SimMarket) {
    return this.#moveBy(act, market)
  }

  quote(market: SimMarket) {
    return this.#moveBy(quote, market)
  }

  hush(market: SimMarket) {
    const actor = this.#actors.get(market)
    const active = this.#active[market.venue]
    const index = actor === undefined ? -1 : active.indexOf(actor)
    if (index >= 0) active.splice(index, 1)
  }

  wake(market: SimMarket) {
    this.#setStatus(market, market.status)
  }

  list(venue: SimVenue): SimMarket {
    const random = this.#random
    for (;;) {
      const topic = inventTopic(random, this.now())
      if (this.#catalogue.isNew(topic, venue)) {
        const question = topic.questions.find((one) => one[venue] !== null)
        if (question !== undefined) return this.#list(venue, topic, question, beliefIn(question))
      }
    }
  }

  pause(market: SimMarket) {
    assertStatus(market, 'active')
    this.#setStatus(market, 'paused')
    this.#tell({ kind: 'paused', market, atMs: this.now() })
  }

  resume(market: SimMarket) {
    assertStatus(market, 'paused')
    // Kalshi cancels every resting order when trading resumes.
    if (market.venue === 'kalshi') this.#clearBook(market)
    this.#setStatus(market, 'active')
    this.#tell({ kind: 'resumed', market, atMs: this.now() })
  }

  close(market: SimMarket) {
    assertStatus(market, 'initialized', 'active', 'paused')
    this.#setStatus(market, 'closed')
    market.closeMs = Math.min(market.closeMs, this.now())
    this.#tell({ kind: 'closed', market, atMs: this.now() })
  }

  settle(market: SimMarket, result: 'yes' | 'no') {
    if (market.status !== 'closed') this.close(market)
    market.result = result
    this.#tell({ kind: 'determined', market, atMs: this.now() })
    // In silence: neither venue announces that the book of a settled market is gone.
    market.book.bids.clear()
    market.book.asks.clear()
    this.#setStatus(market, 'settled')
    this.#tell({ kind: 'settled', market, atMs: this.now() })
    this.#retire(market)
  }

  changeTick(market: SimMarket, tickE4: PriceE4) {
    if (!Number.isInteger(tickE4) || tickE4 < 1 || 10_000 % tickE4 !== 0) {
      throw new RangeError(`the tick size must divide 10000, which ${tickE4} does not`)
    }
    const oldTickE4 = market.tickE4
    if (oldTickE4 === tickE4) return
    const changes = moveToGrid(market.book, tickE4)
    if (changes.length > 0) this.#tell({ kind: 'levels', market, changes, atMs: this.now() })
    market.tickE4 = tickE4
    this.#tell({ kind: 'tick_changed', market, atMs: this.now(), oldTickE4 })
  }

  #moveBy(move: typeof act, market: SimMarket): Happening {
    const actor = this.#actors.get(market)
    if (actor === undefined || market.status !== 'active')
      throw new RangeError(`${market.id} is ${market.status}`)
    const happening = move(actor, this.#random, this.now())
    this.#tell(happening)
    return happening
  }

  #populate() {
    const { marketsPerVenue, sharedShare } = this.#options
    const shared = Math.round(marketsPerVenue * Math.min(1, Math.max(0, sharedShare)))
    const has = (venue: SimVenue) => this.#catalogue.markets[venue].size
    while (VENUES.some((venue) => has(venue) < shared)) this.#addTopic([...VENUES], shared)
    for (const venue of VENUES) while (has(venue) < marketsPerVenue) this.#addTopic([venue], marketsPerVenue)
  }

  /** Adds a whole topic, open and with filled books, up to `limit` markets a venue. */
  #addTopic(venues: SimVenue[], limit: number) {
    const random = this.#random
    const topic = inventTopic(random, this.now())
    if (!venues.every((venue) => this.#catalogue.isNew(topic, venue))) return
    const events = new Map<SimVenue, SimEvent>()
    for (const question of topic.questions) {
      const belief = beliefIn(question)
      const added: SimMarket[] = []
      for (const venue of venues) {
        const wording = question[venue]
        if (wording === null || this.#catalogue.markets[venue].size >= limit) continue
        const event = events.get(venue) ?? this.#catalogue.addEvent(topic, venue)
        events.set(venue, event)
        const createdMs = this.now() - random.between(1, 30) * DAY_MS
        const life = { createdMs, openMs: createdMs + 60_000 }
        const market = this.#catalogue.addMarket(event, topic, question, wording, life)
        this.#open(this.#enlist(market, belief))
        market.changedMs = this.now() - random.int(60_000)
        market.volumeE6 = random.int(50_000) * 1_000_000
        market.volume24hE6 = Math.floor(market.volumeE6 / 10_000_000) * 1_000_000
        added.push(market)
      }
      joinTwins(added)
    }
  }

  #list(venue: SimVenue, topic: Topic, question: Question, belief: Belief): SimMarket {
    const wording = question[venue]
    if (wording === null) throw new RangeError(`${venue} does not ask this question`)
    const nowMs = this.now()
    const event = this.#catalogue.addEvent(topic, venue)
    const life = { createdMs: nowMs, openMs: nowMs + this.#options.openDelayMs }
    const market = this.#catalogue.addMarket(event, topic, question, wording, life)
    const actor = this.#enlist(market, belief)
    this.#tell({ kind: 'listed', market, atMs: nowMs })
    if (this.#options.openDelayMs === 0) this.#openLater(actor)
    else this.#pacer.at(market.openMs, () => this.#openLater(actor))
    return market
  }

  #enlist(market: SimMarket, belief: Belief): Actor {
    const random = this.#random
    const actor = { market, belief, bias: (random.next() - 0.5) * 0.12, depth: random.between(6, 40) }
    this.#actors.set(market, actor)
    return actor
  }

  #open(actor: Actor) {
    this.#setStatus(actor.market, 'active')
    return seedBook(actor, this.#random)
  }

  #openLater(actor: Actor) {
    const { market } = actor
    if (market.status !== 'initialized') return
    const atMs = this.now()
    const changes = this.#open(actor)
    this.#tell({ kind: 'opened', market, atMs })
    this.#tell({ kind: 'levels', market, changes, atMs })
  }

  #clearBook(market: SimMarket) {
    const { book } = market
    const changes = [
      ...[...book.bids.keys()].map((price) => setLevel(book, 'bid', price, 0)),
      ...[...book.asks.keys()].map((price) => setLevel(book, 'ask', price, 0))
    ]
    if (changes.length > 0) this.#tell({ kind: 'levels', market, changes, atMs: this.now() })
  }

  #setStatus(market: SimMarket, status: SimMarket['status']) {
    market.status = status
    const active = this.#active[market.venue]
    const actor = this.#actors.get(market)
    if (actor === undefined) return
    const index = active.indexOf(actor)
    if (status === 'active' && index < 0) active.push(actor)
    if (status !== 'active' && index >= 0) active.splice(index, 1)
  }

  #retire(market: SimMarket) {
    this.#actors.delete(market)
    const settled = this.#settled[market.venue]
    settled.push(market)
    if (settled.length <= this.#options.retainSettled) return
    const oldest = settled.shift()
    if (oldest !== undefined) this.#catalogue.forget(oldest)
  }

  #tell(happening: Happening) {
    const { market, kind, atMs } = happening
    if (kind === 'levels' || kind === 'match') market.changedMs = atMs
    market.updatedMs = atMs
    this.#counts[market.venue] += 1
    for (const listener of this.#listeners) listener(happening)
  }

  #scheduleChurn() {
    this.#pacer.at(this.now() + this.#options.churnMs, () => {
      this.#scheduleChurn()
      this.#churn(this.now())
    })
  }

  /** Lists one market a venue and closes the one that would close next. */
  #churn(nowMs: number) {
    const random = this.#random
    const topic = inventTopic(random, nowMs)
    const question = topic.questions[0]
    if (question !== undefined && random.chance(this.#options.sharedShare)) {
      const belief = beliefIn(question)
      const venues = VENUES.filter((venue) => this.#catalogue.isNew(topic, venue))
      joinTwins(venues.map((venue) => this.#list(venue, topic, question, belief)))
    } else {
      for (const venue of VENUES) this.list(venue)
    }
    for (const venue of VENUES) this.#closeNext(venue, nowMs)
  }

  #closeNext(venue: SimVenue, nowMs: number) {
    const actors = this.#active[venue]
    if (actors.length < 2) return
    const { market } = actors.reduce((first, one) =>
      one.market.closeMs < first.market.closeMs ? one : first
    )
    if (market.closeMs > nowMs) {
      market.closeMs = nowMs
      this.#tell({ kind: 'close_moved', market, atMs: nowMs })
    }
    this.close(market)
    const result = this.#random.chance(0.5) ? 'yes' : 'no'
    this.#pacer.at(nowMs + this.#options.settleDelayMs, () => {
      if (market.status === 'closed') this.settle(market, result)
    })
  }
}

function beliefIn(question: Question): Belief {
  const logit = Math.log(question.fair / (1 - question.fair))
  return { logit, anchor: logit }
}

function joinTwins(markets: SimMarket[]) {
  const [first, second] = markets
  if (first === undefined || second === undefined) return
  first.twinOf = second.id
  second.twinOf = first.id
}

function assertStatus(market: SimMarket, ...allowed: SimMarket['status'][]) {
  if (!allowed.includes(market.status)) throw new RangeError(`${market.id} is ${market.status}`)
}
