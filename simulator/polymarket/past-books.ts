import type { Faults } from '../faults.ts'
import type { SimMarket, World } from '../model/types.ts'
import { type BookView, viewBook } from './book-view.ts'

interface Moment {
  atMs: number
  view: BookView
}

const DEFAULT_STALE_MS = 15_000
const DEFAULT_LAG_MS = 1_000

/** The books that REST shows: the present ones, or older ones while a cache or a slow replica is played. */
export class PastBooks {
  readonly #world: World
  readonly #faults: Faults
  readonly #clockOffsetMs: () => number
  readonly #cached = new WeakMap<SimMarket, Moment>()
  /** Oldest first; kept only while `rest_lag` is on. */
  readonly #moments = new WeakMap<SimMarket, Moment[]>()
  readonly #unlisten: () => void

  constructor(world: World, faults: Faults, clockOffsetMs: () => number) {
    this.#world = world
    this.#faults = faults
    this.#clockOffsetMs = clockOffsetMs
    this.#unlisten = world.onHappening(({ market }) => this.#remember(market))
  }

  stop(): void {
    this.#unlisten()
  }

  /** Returns the book that an answer shows now. */
  view(market: SimMarket): BookView {
    const nowMs = this.#world.now()
    const place = { market: market.id }
    const stale = this.#faults.consume('polymarket', 'rest_stale', place)
    if (stale !== undefined) {
      const kept = this.#cached.get(market)
      if (kept !== undefined && nowMs - kept.atMs < (stale.ms ?? DEFAULT_STALE_MS)) return kept.view
    }
    const view = this.#lagging(market, nowMs) ?? viewBook(market, this.#clockOffsetMs())
    this.#cached.set(market, { atMs: nowMs, view })
    return view
  }

  #lagging(market: SimMarket, nowMs: number): BookView | undefined {
    const lag = this.#faults.consume('polymarket', 'rest_lag', { market: market.id })
    const moments = this.#moments.get(market)
    if (lag === undefined || moments === undefined) return undefined
    const sinceMs = nowMs - (lag.ms ?? DEFAULT_LAG_MS)
    return (moments.findLast((moment) => moment.atMs <= sinceMs) ?? moments[0])?.view
  }

  #remember(market: SimMarket): void {
    if (market.venue !== 'polymarket') return
    const lag = this.#faults.active('polymarket', 'rest_lag', { market: market.id })
    if (lag === undefined) {
      this.#moments.delete(market)
      return
    }
    const nowMs = this.#world.now()
    const moments = this.#moments.get(market) ?? []
    moments.push({ atMs: nowMs, view: viewBook(market, this.#clockOffsetMs()) })
    const sinceMs = nowMs - (lag.ms ?? DEFAULT_LAG_MS)
    const firstNeeded = moments.findLastIndex((moment) => moment.atMs <= sinceMs)
    if (firstNeeded > 0) moments.splice(0, firstNeeded)
    this.#moments.set(market, moments)
  }
}
