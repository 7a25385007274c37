import { createRandom } from '../../simulator/model/random.ts'
import { syntheticBook } from './book.ts'
import { cyclicChanges } from './changes.ts'
import { encodeCycle, type FrameCycle } from './frame-cycle.ts'

/** Snapshots and deltas count on their own, so that deltas can begin with any number. */
const SNAPSHOT_SID = 1
const DELTA_SID = 2
const TURN_MARK = '#####'

export function kalshiTicker(index: number): string {
  return `KXBENCH-26DEC31-T${String(index).padStart(6, '0')}`
}

/** Returns the snapshot frame of a market, in the venue's present form. */
export function kalshiSnapshot(index: number): string {
  const [yes, no] = syntheticBook(index).sides.map(({ prices, sizes }) =>
    prices.map((price, i) => [dollars(price), contracts(sizes[i] as number)]).reverse()
  )
  const msg = {
    market_ticker: kalshiTicker(index),
    market_id: marketId(index),
    yes_dollars_fp: yes,
    no_dollars_fp: no
  }
  return JSON.stringify({ type: 'orderbook_snapshot', sid: SNAPSHOT_SID, seq: index + 1, msg })
}

/** Returns a cycle of `count` deltas, numbered without a gap from turn to turn; `count` is a power of ten. */
export function kalshiDeltas(count: number, markets: number): FrameCycle {
  const width = String(count).length - 1
  const texts = cyclicChanges(count, markets).map(({ market, outcome, price, change }, i) => {
    const seq = `${TURN_MARK}${String(i).padStart(width, '0')}`
    const side = outcome === 0 ? 'yes' : 'no'
    return (
      `{"type":"orderbook_delta","sid":${DELTA_SID},"seq":${seq},"msg":{"market_ticker":"${kalshiTicker(market)}",` +
      `"market_id":"${marketId(market)}","price_dollars":"${dollars(price)}","delta_fp":"${contracts(change)}",` +
      `"side":"${side}","ts":"2026-11-20T12:00:00.123456Z","ts_ms":1795176000123}}`
    )
  })
  return encodeCycle(texts, TURN_MARK)
}

function marketId(index: number): string {
  return createRandom(index).uuid()
}

function dollars(price: number): string {
  return (price / 10_000).toFixed(4)
}

function contracts(size: number): string {
  return (size / 1_000_000).toFixed(2)
}
