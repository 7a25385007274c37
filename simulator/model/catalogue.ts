import { createBook } from './book.ts'
import type { Question, Topic, Wording } from './questions.ts'
import type { Random } from './random.ts'
import type { SimEvent, SimMarket, SimVenue } from './types.ts'

/** The two clocks of a market's life, epoch milliseconds. */
interface Lifetime {
  createdMs: number
  openMs: number
}

/** Every market and event by id, bounded: `forget` takes one out for good. */
export class Catalogue {
  readonly markets: Record<SimVenue, Map<string, SimMarket>> = { kalshi: new Map(), polymarket: new Map() }
  readonly events: Record<SimVenue, Map<string, SimEvent>> = { kalshi: new Map(), polymarket: new Map() }
  readonly #tokens = new Map<string, { market: SimMarket; outcome: 0 | 1 }>()
  readonly #slugs = new Set<string>()
  readonly #random: Random
  #nextEventId = 30_000
  #nextMarketId = 3_900_000
  #nextTagId = 100
  readonly #tagIds = new Map<string, string>()

  constructor(random: Random) {
    this.#random = random
  }

  token(tokenId: string): { market: SimMarket; outcome: 0 | 1 } | undefined {
    return this.#tokens.get(tokenId)
  }

  /** Returns false when an event of this topic is listed already on that venue: ids would collide. */
  isNew(topic: Topic, venue: SimVenue): boolean {
    if (venue === 'kalshi') return !this.events.kalshi.has(topic.kalshi.ticker)
    return !this.#slugs.has(topic.polymarket.slug)
  }

  /** Adds the event that a topic is on a venue, still without markets. */
  addEvent(topic: Topic, venue: SimVenue): SimEvent {
    const event: SimEvent = {
      venue,
      id: venue === 'kalshi' ? topic.kalshi.ticker : String(this.#nextEventId++),
      slug: topic.polymarket.slug,
      series: topic.kalshi.series,
      title: topic[venue].title,
      category: topic.category,
      tags: topic.tags.map((label) => this.#tag(label)),
      mutuallyExclusive: topic.mutuallyExclusive,
      markets: []
    }
    this.events[venue].set(event.id, event)
    if (venue === 'polymarket') this.#slugs.add(event.slug)
    return event
  }

  /** Adds a market with an empty book, not open yet. */
  addMarket(event: SimEvent, topic: Topic, question: Question, wording: Wording, life: Lifetime): SimMarket {
    const random = this.#random
    const { venue } = event
    const isKalshi = venue === 'kalshi'
    const market: SimMarket = {
      venue,
      // A share of Polymarket's markets is of its second protocol, whose ids have a byte less.
      id: isKalshi ? `${event.id}-${wording.key}` : `0x${random.hex(random.chance(0.04) ? 62 : 64)}`,
      event,
      title: wording.title,
      yesLabel: wording.yesLabel,
      noLabel: wording.noLabel,
      rules: wording.rules,
      tokens: isKalshi
        ? ['', '']
        : [random.digits(random.between(75, 77)), random.digits(random.between(75, 77))],
      uid: isKalshi ? random.uuid() : String(this.#nextMarketId++),
      slug: isKalshi ? `${event.id}-${wording.key}`.toLowerCase() : wording.key,
      status: 'initialized',
      result: null,
      openMs: life.openMs,
      closeMs: topic.closeMs,
      createdMs: life.createdMs,
      updatedMs: life.createdMs,
      tickE4: random.chance(0.3) ? 10 : 100,
      negRisk: !isKalshi && topic.negRisk,
      volumeE6: 0,
      volume24hE6: 0,
      lastTrade: null,
      changedMs: life.createdMs,
      book: createBook(),
      twinOf: null,
      groupLabel: wording.groupLabel,
      strike: question.strike
    }
    event.markets.push(market)
    this.markets[venue].set(market.id, market)
    if (!isKalshi) {
      this.#tokens.set(market.tokens[0], { market, outcome: 0 })
      this.#tokens.set(market.tokens[1], { market, outcome: 1 })
    }
    return market
  }

  /** Takes a market out for good, and its event when it was the last one there. */
  forget(market: SimMarket): void {
    const { venue, event } = market
    this.markets[venue].delete(market.id)
    for (const token of market.tokens) this.#tokens.delete(token)
    event.markets = event.markets.filter((one) => one !== market)
    if (event.markets.length > 0) return
    this.events[venue].delete(event.id)
    if (venue === 'polymarket') this.#slugs.delete(event.slug)
  }

  #tag(label: string) {
    let id = this.#tagIds.get(label)
    if (id === undefined) {
      id = String(this.#nextTagId++)
      this.#tagIds.set(label, id)
    }
    return { id, label, slug: label.toLowerCase().replaceAll(' ', '-') }
  }
}
