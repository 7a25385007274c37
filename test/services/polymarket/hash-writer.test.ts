import fc from 'fast-check'
import t from 'tap'
import { BookArena, NO, YES } from '../../../services/orderbook/arena.ts'
import { bookHash, type HashInputs } from '../../../services/polymarket/hash.ts'
import { foldHash } from '../../../services/polymarket/hash-fold.ts'
import { HashWriter, hashHead, hashTail } from '../../../services/polymarket/hash-writer.ts'

const MARKET = `0x${'5ec1a7e0'.repeat(8)}`
const ASSET = '70741852963074185296307418529630741852963074185296307418529630741852963074185'

const inputs: HashInputs = {
  market: MARKET,
  assetId: ASSET,
  timestamp: '1795000000000',
  minOrderSize: '5',
  tickSize: '0.01',
  negRisk: false,
  lastTradePrice: '0.420'
}

function written(arena: BookArena, outcome: typeof YES | typeof NO, given: HashInputs): HashWriter {
  const writer = new HashWriter()
  const { market, assetId, minOrderSize, tickSize, negRisk } = given
  const tail = hashTail(minOrderSize, tickSize, negRisk)
  writer.write(arena, 0, outcome, hashHead(market, assetId), Number(given.timestamp), tail)
  return writer
}

t.test('writes the text of the protocol page, whose hash is a test vector', async (t) => {
  const arena = new BookArena(1, 100)
  arena.setLevel(0, YES, 4_000, 100_000_000)
  arena.setLevel(0, YES, 4_100, 50_500_000)
  arena.setLevel(0, NO, 5_500, 200_000_000)
  arena.setLevel(0, NO, 5_700, 30_000_000)
  const writer = written(arena, YES, inputs)
  t.equal(
    writer.textWith('0.420'),
    `{"market":"${MARKET}","asset_id":"${ASSET}","timestamp":"1795000000000","hash":"","bids":[{"price":"0.4","size":"100"},{"price":"0.41","size":"50.5"}],"asks":[{"price":"0.45","size":"200"},{"price":"0.43","size":"30"}],"min_order_size":"5","tick_size":"0.01","neg_risk":false,"last_trade_price":"0.420"}`
  )
  const wanted = foldHash('fb2ceb0dd5ed85104c3e52536602f19798887494')
  t.equal(writer.hashWith('0.420'), wanted)
  t.not(writer.hashWith('0.430'), wanted)
  t.equal(writer.search(['', '0.410', '0.420', '0.430'], wanted), '0.420')
  t.equal(writer.search(['', '0.410'], wanted), undefined)
})

t.test('hashes any book as the slow way does, from both outcomes', async (t) => {
  const price = fc.integer({ min: 0, max: 10_000 })
  const size = fc.oneof(
    fc.integer({ min: 1, max: 999_999_999 }),
    fc.integer({ min: 1, max: 100_000 }).map((contracts) => contracts * 1_000_000),
    fc.integer({ min: 1, max: 999_999_999_999_999 })
  )
  const levels = fc.array(fc.tuple(fc.constantFrom(YES, NO), price, size), { maxLength: 60 })
  const texts = fc.record({
    timestamp: fc.oneof(
      fc.constantFrom('0', '999999999', '1000000000', '1000000000000', '999999999999999'),
      fc.nat().map((ms) => String(1_790_000_000_000 + ms))
    ),
    minOrderSize: fc.constantFrom('5', '15', '0.1'),
    tickSize: fc.constantFrom('0.1', '0.01', '0.005', '0.0025', '0.001', '0.0001'),
    negRisk: fc.boolean(),
    lastTradePrice: fc.constantFrom('', '0.420', '0.9995')
  })
  const arena = new BookArena(1, 10_000)
  fc.assert(
    fc.property(levels, texts, (some, given) => {
      arena.release(0)
      for (const [outcome, at, contracts] of some) arena.setLevel(0, outcome, at, contracts)
      const all = { ...inputs, ...given }
      return [YES, NO].every(
        (outcome) =>
          written(arena, outcome as typeof YES, all).hashWith(all.lastTradePrice) ===
          foldHash(bookHash(arena, 0, outcome as typeof YES, all))
      )
    }),
    { numRuns: 1_000 }
  )
  t.pass()
})

t.test('a book with a level at every price fits', async (t) => {
  const arena = new BookArena(1, 40_000)
  for (let at = 1; at < 10_000; at++) arena.setLevel(0, at < 5_000 ? YES : NO, at, 999_999_999_999_999)
  t.equal(written(arena, YES, inputs).hashWith('0.420'), foldHash(bookHash(arena, 0, YES, inputs)))
})
