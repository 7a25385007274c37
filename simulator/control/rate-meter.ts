import type { World } from '../model/types.ts'

const WINDOW_MS = 1_000

/** Counts happenings a second, over the last whole second. */
export class RateMeter {
  readonly #world: World
  readonly #timer: NodeJS.Timeout
  #lastCount: number
  #lastMs = performance.now()
  #perSecond = 0

  constructor(world: World) {
    this.#world = world
    this.#lastCount = this.#count()
    this.#timer = setInterval(() => this.#measure(), WINDOW_MS)
  }

  perSecond(): number {
    return this.#perSecond
  }

  stop(): void {
    clearInterval(this.#timer)
  }

  #count(): number {
    return this.#world.happenings('kalshi') + this.#world.happenings('polymarket')
  }

  #measure(): void {
    const nowMs = performance.now()
    const count = this.#count()
    this.#perSecond = Math.round(((count - this.#lastCount) * 1_000) / (nowMs - this.#lastMs))
    this.#lastCount = count
    this.#lastMs = nowMs
  }
}
