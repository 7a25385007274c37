import type { BookArena, Outcome } from '../../services/orderbook/arena.ts'
import { LevelList } from '../../services/orderbook/levels.ts'
import { createRandom, type Random } from '../../simulator/model/random.ts'

/** One side of a synthetic book: bids of one outcome in ten-thousandths of a dollar, best first. */
export interface SyntheticSide {
  prices: number[]
  /** Millionths of a contract, two decimals of a contract at most. */
  sizes: number[]
}

export interface SyntheticBook {
  /** Bids for YES and bids for NO: a step or more below each other's mirror, so never crossed. */
  sides: [yes: SyntheticSide, no: SyntheticSide]
}

/** Levels a side. */
export interface LevelRange {
  min: number
  max: number
}

/** 40 a side on average, as the targets of the book say. */
export const USUAL_LEVELS: LevelRange = { min: 20, max: 60 }
/** A tenth of a cent, the grid of a busy market. */
export const TICK = 10
const SEED = 0x0b00c5

/** Returns the book that a market begins with: the same for the same index in every process. */
export function syntheticBook(index: number, { min, max }: LevelRange = USUAL_LEVELS): SyntheticBook {
  const random = createRandom(SEED ^ Math.imul(index, 0x9e3779b1))
  const best = random.between(400, 600) * TICK
  const gap = random.between(1, 4) * TICK
  const side = (top: number) => syntheticSide(random, top, random.between(min, max))
  return { sides: [side(best), side(10_000 - best - gap)] }
}

function syntheticSide(random: Random, best: number, levels: number): SyntheticSide {
  const prices: number[] = []
  const sizes: number[] = []
  // A deep side has every price, a usual one has gaps where a level can come new.
  const widest = Math.min(3, Math.floor(best / TICK / levels))
  let price = best
  for (let i = 0; i < levels && price > 0; i++) {
    prices.push(price)
    sizes.push(randomSize(random))
    price -= random.between(1, widest) * TICK
  }
  return { prices, sizes }
}

/** Returns a size of up to 10,000 contracts, whole more often than not, in millionths. */
export function randomSize(random: Random): number {
  const whole = Math.ceil(10 ** (random.next() * 4))
  return whole * 1_000_000 + (random.chance(0.4) ? random.int(100) * 10_000 : 0)
}

/** Writes a synthetic book into an arena's slot. */
export function fillArena(arena: BookArena, slot: number, book: SyntheticBook): void {
  for (const outcome of [0, 1] as const satisfies readonly Outcome[]) {
    const { prices, sizes } = book.sides[outcome]
    levels.clear()
    for (let i = prices.length - 1; i >= 0; i--) levels.push(prices[i] as number, sizes[i] as number)
    arena.replace(slot, outcome, levels)
  }
}

const levels = new LevelList()
