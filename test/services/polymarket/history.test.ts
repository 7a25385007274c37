import t, { type Test } from 'tap'
import type { ParsedTrade } from '../../../services/polymarket/parse.ts'
import { noteOfTrade } from '../../../services/polymarket/trade-note.ts'
import type { SimMarket, SimTrade } from '../../../simulator/model/types.ts'
import { recordedTaps } from '../venue/recorded-taps.ts'
import { setUp, until } from './live-feed.ts'

async function listen(t: Test, rate = 0) {
  const recorded = recordedTaps()
  const setup = await setUp(t, { rate }, {}, recorded.history)
  return { ...setup, recorded }
}

/** The trades that the simulated venue made from now on. */
function tradesOf({ world }: Awaited<ReturnType<typeof setUp>>) {
  const made: { market: SimMarket; trade: SimTrade }[] = []
  world.onHappening((one) => {
    if (one.kind !== 'match' || one.market.venue !== 'polymarket') return
    for (const trade of one.trades) made.push({ market: one.market, trade })
  })
  return made
}

t.test('every frame is heard once, every command, and every book that REST gave', async (t) => {
  const { recorded, feed, world, active, act } = await listen(t)
  const [market] = active() as [SimMarket]
  await act(market, 40)
  world.setRate(0)
  await until('all is heard', () => feed.status().counters.frames === recorded.of('frame').length)
  const [opened, adopted, command] = recorded.events.filter(({ kind }) => kind !== 'rest')
  t.match(opened, { kind: 'opened', venue: 'polymarket', connection: 1, text: 'polymarket-1' })
  t.match(adopted, { kind: 'adopted', connection: 1 })
  t.match(JSON.parse(command?.text ?? ''), { type: 'market' })
  const subscribed = recorded.of('command').flatMap(({ text }) => {
    return text.startsWith('{') ? JSON.parse(text).assets_ids : []
  })
  t.same(new Set(subscribed), new Set(active().map(({ tokens }) => tokens[0])))
  const seeds = recorded.of('rest').map(({ text }) => JSON.parse(text))
  t.same(new Set(seeds.map(({ book }) => book.assetId)), new Set(subscribed))
  t.ok(seeds.every(({ streaming }) => typeof streaming === 'boolean'))
  await feed.stop()
  t.match(recorded.events.at(-1), { kind: 'closed', connection: 1 })
  t.equal(await feed.fetchTrades(), null)
})

t.test('trades are those of the venue, each once', async (t) => {
  const setup = await listen(t)
  const { recorded, world } = setup
  const made = tradesOf(setup)
  world.setRate(600)
  await until('some trades were made', () => made.length > 60)
  world.setRate(0)
  await until('all are told', () => recorded.trades.length === made.length)
  const nameOf = (marketId: string, price: number, size: number, side: string | null) =>
    `${marketId} ${price} ${size} ${side}`
  t.same(
    recorded.trades.map((one) => nameOf(one.marketId, one.price, one.size, one.takerSide)).sort(),
    made
      .map(({ market, trade }) =>
        nameOf(`polymarket:${market.id}`, trade.priceE4, trade.sizeE6, trade.taker === 'buy' ? 'yes' : 'no')
      )
      .sort()
  )
})

t.test('a trade of the complement is mirrored, and bears the same name', async (t) => {
  const own: ParsedTrade = {
    kind: 'trade',
    assetId: '1',
    price: 4_300,
    size: 30_000_000,
    side: 'BUY',
    timestampMs: 5,
    transaction: '0xa'
  }
  const other: ParsedTrade = { ...own, assetId: '2', price: 5_700, side: 'SELL' }
  const told = noteOfTrade('polymarket:0x1', own, false, 7)
  t.same(told.note, {
    marketId: 'polymarket:0x1',
    tradeId: null,
    venueTimeMs: 5,
    receivedAtMs: 7,
    price: 4_300,
    size: 30_000_000,
    takerSide: 'yes'
  })
  t.same(noteOfTrade('polymarket:0x1', other, true, 7), told)
  t.match(noteOfTrade('polymarket:0x1', { ...own, side: null, timestampMs: -1 }, false, 7).note, {
    takerSide: null,
    venueTimeMs: null
  })
})

t.test('a lost change is told when its hash fails, with the last proof before it', async (t) => {
  const { recorded, fault, active, world } = await listen(t)
  const [market] = active() as [SimMarket]
  const startedAtMs = Date.now()
  const found = () => recorded.gaps.find(({ kind }) => kind === 'hash_mismatch')
  let acts = 0
  await until('it is told', () => {
    // The same level told again heals before anything shows: then once more.
    if (acts++ % 100 === 0) fault('drop_delta', { market: market.id, count: 1 })
    if (found() === undefined) world.quote(market)
    return found() !== undefined
  })
  const gap = found()
  t.match(gap, { venue: 'polymarket', connection: 'polymarket-1', fromSequence: null })
  t.equal(gap?.slots.length, 1)
  t.ok((gap?.startedAtMs ?? 0) <= (gap?.detectedAtMs ?? 0))
  t.ok((gap?.detectedAtMs ?? 0) >= startedAtMs)
})

t.test('a lost connection and a message that is not understood are told', async (t) => {
  const { recorded, fault, active, act } = await listen(t)
  const [market] = active() as [SimMarket]
  fault('renamed_field', { market: market.id, count: 1 })
  await act(market, 4)
  await until('the drift is told', () => recorded.gaps.some(({ kind }) => kind === 'drift'))
  fault('cut_socket', { count: 1 })
  await until('the loss is told', () => recorded.gaps.some(({ kind }) => kind === 'disconnected'))
  const gap = recorded.gaps.find(({ kind }) => kind === 'disconnected')
  t.match(gap, { venue: 'polymarket', connection: 'polymarket-1' })
  t.equal(gap?.slots.length, active().length)
  t.ok((gap?.startedAtMs ?? 0) <= (gap?.detectedAtMs ?? 0))
})

t.test('during a handover both connections are heard, and the swap is told', async (t) => {
  const setup = await listen(t)
  const { recorded, feed, world } = setup
  const made = tradesOf(setup)
  world.setRate(300)
  const { connections } = await feed.recycle({ signal: new AbortController().signal, onProgress: () => {} })
  world.setRate(0)
  t.match(connections, [{ outcome: 'swapped' }])
  const swap = recorded.events.findIndex(({ kind, connection }) => kind === 'adopted' && connection === 2)
  t.ok(recorded.events.slice(0, swap).some(({ kind, connection }) => kind === 'frame' && connection === 2))
  t.match(recorded.of('closed'), [{ connection: 1 }])
  await until('every trade is told', () => recorded.trades.length >= made.length)
  t.equal(recorded.trades.length, made.length, 'and each once')
})

t.test('what audits read and find wrong is told', async (t) => {
  const recorded = recordedTaps()
  const { store, active } = await setUp(t, {}, { AUDIT_PERIOD_MS: 2_000 }, recorded.history)
  await until('every book was read', () => recorded.polled.length > active().length)
  const [market] = active() as [SimMarket]
  const slot = store.get(`polymarket:${market.id}`)?.slot ?? -1
  store.books.arena.setLevel(slot, 0, 10, 7_000_000)
  await until('it is told', () => recorded.gaps.some(({ kind }) => kind === 'audit_mismatch'))
  t.match(
    recorded.gaps.find(({ kind }) => kind === 'audit_mismatch'),
    { connection: 'polymarket-1', slots: [slot] }
  )
})
