import { formatScaled, ONE_E4, type PriceE4, parsePriceE4 } from '../numbers/decimal.ts'

const REDUCED = 8
const TOLD = 2

/** Returns the texts that the venue may print a last trade as. Three decimals are confirmed; more are a guess. */
export function lastTradeTexts(price: PriceE4): string[] {
  const whole = price === ONE_E4 ? '1' : '0'
  const decimals = String(price % ONE_E4).padStart(4, '0')
  const three = `${whole}.${decimals.slice(0, 3)}`
  return price % 10 === 0 ? [three] : [`${whole}.${decimals}`, three, roundedUp(price)]
}

/** Returns every text that a last trade on a price grid may have: never traded first. */
export function* allLastTrades(tickSize: string): Generator<string> {
  yield ''
  const tick = parsePriceE4(tickSize)
  if (!(tick > 0)) return
  for (let price = tick; price < ONE_E4; price += tick) yield* lastTradeTexts(price)
}

/**
 * What a market's last trade may be, by slot: the hash of a book holds it, and the messages of a match do not name
 * it. It is one of the prices that the match consumed, or what a `last_trade_price` told since.
 */
export class LastTrades {
  private readonly reduced: Uint16Array
  private readonly reductions: Uint32Array
  private readonly told: Uint16Array

  constructor(capacityMarkets: number) {
    this.reduced = new Uint16Array(capacityMarkets * REDUCED)
    this.reductions = new Uint32Array(capacityMarkets)
    this.told = new Uint16Array(capacityMarkets * TOLD)
  }

  reset(slot: number): void {
    this.reduced.fill(0, slot * REDUCED, (slot + 1) * REDUCED)
    this.told.fill(0, slot * TOLD, (slot + 1) * TOLD)
  }

  /** A level was removed or got smaller: a match, or a cancelled order. */
  reduce(slot: number, price: PriceE4): void {
    const count = this.reductions[slot] as number
    this.reduced[slot * REDUCED + (count % REDUCED)] = price
    this.reductions[slot] = count + 1
  }

  tell(slot: number, price: PriceE4): void {
    this.told[slot * TOLD + 1] = this.told[slot * TOLD] as number
    this.told[slot * TOLD] = price
  }

  /** Returns the texts to try, the likeliest first; each price as it is and as the other outcome sees it. */
  candidates(slot: number): Set<string> {
    const texts = new Set<string>()
    const add = (price: PriceE4) => {
      if (price === 0) return
      for (const text of lastTradeTexts(price)) texts.add(text)
      for (const text of lastTradeTexts(ONE_E4 - price)) texts.add(text)
    }
    const count = this.reductions[slot] as number
    for (let back = 1; back <= REDUCED; back++)
      add(this.reduced[slot * REDUCED + ((count + REDUCED * 2 - back) % REDUCED)] as number)
    for (let i = 0; i < TOLD; i++) add(this.told[slot * TOLD + i] as number)
    return texts
  }
}

function roundedUp(price: PriceE4): string {
  const text = formatScaled(Math.ceil(price / 10), 3)
  return text.includes('.') ? text.padEnd(5, '0') : `${text}.000`
}
