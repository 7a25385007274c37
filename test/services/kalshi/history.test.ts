import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import WebSocket, { WebSocketServer } from 'ws'
import type { Config } from '../../../schemas/config.ts'
import { HistoryRecorder } from '../../../services/history/history-recorder.ts'
import { parseCandle } from '../../../services/kalshi/parse-candle.ts'
import { BLOCK_TRADE, parseRestTrade, parseTrade } from '../../../services/kalshi/parse-trade.ts'
import { fetchPastCandles } from '../../../services/kalshi/past-candles.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import type { Simulator } from '../../../simulator/index.ts'
import type { Happening, SimMarket, SimTrade } from '../../../simulator/model/types.ts'
import { MemoryHistoryStore } from '../history/memory-store.ts'
import { type recordedTaps, recordedTaps as taps } from '../venue/recorded-taps.ts'
import { follow, until } from './live-feed.ts'

/** Settings for a stream that comes over a relay, which passes on what it is told to. */
async function relayed(
  t: Test,
  kalshi: Simulator['kalshi'],
  passes: (text: string) => string | null
): Promise<Partial<Config>> {
  const relay = new WebSocketServer({ host: '127.0.0.1', port: 0 })
  relay.on('connection', (peer, request) => {
    const names = Object.entries(request.headers).filter(([name]) => name.startsWith('kalshi-'))
    const venue = new WebSocket(kalshi.wsUrl, {
      headers: Object.fromEntries(names) as Record<string, string>
    })
    const waiting: string[] = []
    peer.on('message', (data) => {
      if (venue.readyState === WebSocket.OPEN) venue.send(String(data))
      else waiting.push(String(data))
    })
    venue.on('open', () => {
      for (const text of waiting) venue.send(text)
    })
    venue.on('message', (data) => {
      const text = passes(String(data))
      if (text !== null) peer.send(text)
    })
    peer.on('close', () => venue.terminate())
  })
  t.teardown(() => relay.close())
  await once(relay, 'listening')
  const { port } = relay.address() as AddressInfo
  return { KALSHI_WS_URL: `ws://127.0.0.1:${port}${new URL(kalshi.wsUrl).pathname}` }
}

type Taps = ReturnType<typeof recordedTaps>

interface Numbered {
  type: string
  sid?: number
  seq?: number
  msg?: { channel?: string; sid?: number }
}

const messagesOf = (recorded: Taps, connection: number): Numbered[] =>
  recorded.of('frame', connection).map(({ text }) => JSON.parse(text))

/** The `sid` on which a channel came. */
const sidOf = (recorded: Taps, channel: string, connection = 1): number | undefined =>
  messagesOf(recorded, connection).find(({ type, msg }) => type === 'subscribed' && msg?.channel === channel)
    ?.msg?.sid

/** The trades that a simulated venue made, by id. */
function tradesOf(world: { onHappening: (listener: (one: Happening) => void) => () => void }) {
  const trades = new Map<string, { market: SimMarket; trade: SimTrade }>()
  world.onHappening((one) => {
    if (one.kind !== 'match' || one.market.venue !== 'kalshi') return
    for (const trade of one.trades) trades.set(trade.id, { market: one.market, trade })
  })
  return trades
}

t.test('every frame is heard once and in order, every command too, before what they do', async (t) => {
  const recorded = taps()
  const { simulator, feed } = await follow(t, {}, 2_000, { history: recorded.history })
  await until(() => feed.status().counters.applied > 500)
  simulator.world.setRate(0)
  await until(() => recorded.of('frame').length === simulator.stats().kalshi.framesSent)
  t.equal(feed.status().counters.frames, recorded.of('frame').length)
  const [opened, adopted] = recorded.events
  t.match(opened, { kind: 'opened', venue: 'kalshi', connection: 1, text: 'kalshi' })
  t.match(adopted, { kind: 'adopted', venue: 'kalshi', connection: 1 })
  const next = new Map<number, number>()
  for (const { sid, seq } of messagesOf(recorded, 1)) {
    if (sid === undefined || seq === undefined) continue
    if (seq !== (next.get(sid) ?? 1)) t.equal(seq, next.get(sid) ?? 1, `of ${sid}`)
    next.set(sid, seq + 1)
  }
  t.equal(next.size, 2, 'books and trades are numbered each by itself')
  const channels = recorded.of('command').flatMap(({ text }) => JSON.parse(text).params.channels ?? [])
  t.same(new Set(channels), new Set(['market_lifecycle_v2', 'orderbook_delta', 'trade']))
  await feed.stop()
  t.match(recorded.events.at(-1), { kind: 'closed', connection: 1 })
})

t.test('trades are those of the venue, each once, over the stream and over REST', async (t) => {
  const recorded = taps()
  const { simulator, feed } = await follow(t, { rate: 0 }, 2_000, { history: recorded.history })
  await until(() => sidOf(recorded, 'trade') !== undefined)
  const made = tradesOf(simulator.world)
  const startedAtMs = simulator.world.now()
  simulator.world.setRate(800)
  await until(() => made.size > 100)
  simulator.world.setRate(0)
  await until(() => recorded.trades.length === made.size)
  const wanted = [...made.values()].map(({ market, trade }) => ({
    marketId: `kalshi:${market.id}`,
    tradeId: trade.id,
    venueTimeMs: trade.atMs,
    price: trade.priceE4,
    size: trade.sizeE6,
    takerSide: trade.taker === 'buy' ? 'yes' : 'no'
  }))
  const strip = ({ receivedAtMs, ...trade }: (typeof recorded.trades)[number]) => trade
  t.same(recorded.trades.map(strip), wanted)
  const [first] = wanted as [(typeof wanted)[number]]
  const past = await feed.fetchTrades(first.marketId, startedAtMs, simulator.world.now() + 1)
  const ofMarket = wanted.filter(({ marketId }) => marketId === first.marketId)
  t.same(
    new Set(past?.map((one) => JSON.stringify(strip(one)))),
    new Set(ofMarket.map((one) => JSON.stringify({ ...one })))
  )
  t.same(await feed.fetchTrades(first.marketId, startedAtMs, first.venueTimeMs), [], 'the end is not inside')
  t.equal(await feed.fetchTrades('polymarket:0x1', 0, 1), null)
})

t.test('past minutes are those that the venue has candles of', async (t) => {
  const { simulator, feed } = await follow(t, { rate: 0 }, 2_000)
  const made = tradesOf(simulator.world)
  simulator.world.setRate(800)
  await until(() => made.size > 100)
  simulator.world.setRate(0)
  const [first] = [...made.values()].map(({ market }) => market)
  const trades = [...made.values()].filter(({ market }) => market === first).map(({ trade }) => trade)
  const nowMs = simulator.world.now()
  const ids = [`kalshi:${first?.id}`]
  const candles = (await feed.fetchCandles(ids, nowMs - 600_000, nowMs)) ?? []
  t.ok(candles.length > 0)
  for (const { marketId, fromMs, price, volume, bid, ask } of candles) {
    const inside = trades.filter(({ atMs }) => atMs > fromMs && atMs <= fromMs + 60_000)
    const prices = inside.map(({ priceE4 }) => priceE4)
    t.equal(marketId, ids[0])
    t.strictSame(price, {
      open: prices[0],
      high: Math.max(...prices),
      low: Math.min(...prices),
      close: prices.at(-1)
    })
    t.equal(
      volume,
      inside.reduce((sum, { sizeE6 }) => sum + sizeE6, 0)
    )
    t.ok(bid.close < ask.close)
  }
  t.equal(
    candles.reduce((sum, { volume }) => sum + volume, 0),
    trades.reduce((sum, { sizeE6 }) => sum + sizeE6, 0)
  )
  t.strictSame(await feed.fetchCandles(ids, nowMs - 7_200_000, nowMs - 3_600_000), [])
  t.equal(await feed.fetchCandles([...ids, 'polymarket:0x1'], 0, 1), null)
})

t.test(
  'a candle is read as captured; one without a trade has no price, and what is none is left out',
  async (t) => {
    const bar = (close: string) => ({
      open_dollars: '0.4100',
      high_dollars: '0.4300',
      low_dollars: '0.4000',
      close_dollars: close
    })
    const candle = {
      end_period_ts: 1_786_297_260,
      open_interest_fp: '331486.19',
      price: { ...bar('0.4200'), mean_dollars: '0.4150', previous_dollars: '0.4400' },
      volume_fp: '120.50',
      yes_ask: bar('0.4250'),
      yes_bid: bar('0.4150')
    }
    const read = { open: 4_100, high: 4_300, low: 4_000 }
    const id = 'kalshi:A'
    t.strictSame(parseCandle(candle, id), {
      marketId: id,
      fromMs: 1_786_297_200_000,
      bid: { ...read, close: 4_150 },
      ask: { ...read, close: 4_250 },
      price: { ...read, close: 4_200 },
      volume: 120_500_000
    })
    t.match(parseCandle({ ...candle, price: { previous_dollars: '0.4400' } }, id), { price: null })
    for (const wrong of [
      null,
      { ...candle, end_period_ts: 1_786_297_261 },
      { ...candle, yes_bid: { open: 41, high: 43, low: 40, close: 42 } },
      { ...candle, yes_ask: undefined },
      { ...candle, price: { ...candle.price, low_dollars: undefined } },
      { ...candle, volume_fp: undefined }
    ])
      t.equal(parseCandle(wrong, id), null)
  }
)

t.test('candles of many markets and minutes come in answers that the venue gives', async (t) => {
  const asked: [number, number, number][] = []
  const rest = {
    candles: async (tickers: readonly string[], firstEndMs: number, lastEndMs: number) => {
      asked.push([tickers.length, firstEndMs / 60_000, lastEndMs / 60_000])
      return [{ market_ticker: 'not asked for', candlesticks: [] }, null]
    }
  }
  const tickers = Array.from({ length: 130 }, (_, n) => `T${n}`)
  t.strictSame(await fetchPastCandles(rest, tickers, 90_000, 60_000 * 150 + 1), [])
  t.strictSame(asked, [
    [100, 2, 101],
    [100, 102, 151],
    [30, 2, 101],
    [30, 102, 151]
  ])
})

t.test('a block trade and what is no trade are left out; older forms are read', async (t) => {
  const trade = {
    trade_id: 'a',
    market_ticker: 'KXA',
    yes_price_dollars: '0.4200',
    count_fp: '35.50',
    taker_outcome_side: 'no',
    is_block_trade: false,
    ts_ms: 1_795_176_000_123
  }
  const note = {
    marketId: 'kalshi:KXA',
    tradeId: 'a',
    venueTimeMs: 1_795_176_000_123,
    receivedAtMs: 7,
    price: 4_200,
    size: 35_500_000,
    takerSide: 'no'
  }
  t.same(parseTrade(trade, 7), note)
  t.equal(parseTrade({ ...trade, is_block_trade: true }, 7), BLOCK_TRADE)
  const cents = {
    trade_id: 'a',
    market_ticker: 'KXA',
    yes_price: 42,
    count: 35,
    taker_side: 'no',
    ts: 1_795_176_000
  }
  t.same(parseTrade(cents, 7), { ...note, size: 35_000_000, venueTimeMs: 1_795_176_000_000 })
  t.match(parseTrade({ ...trade, taker_outcome_side: 'maybe' }, 7), { takerSide: null })
  const { market_ticker: ticker, ts_ms, ...rest } = trade
  t.same(parseRestTrade({ ...rest, ticker, created_time: new Date(ts_ms).toISOString() }, 7), note)
  for (const wrong of [
    null,
    {},
    { ...trade, trade_id: 1 },
    { ...trade, count_fp: '-1' },
    { ...trade, ts_ms: 'x' }
  ])
    t.equal(parseTrade(wrong, 7), null)
  t.equal(parseRestTrade([], 7), null)
  t.equal(parseRestTrade({ ...rest, ticker }, 7), null, 'a trade without a time')
})

t.test('a gap of books tells its numbers, its books and when all was well', async (t) => {
  const recorded = taps()
  const { simulator, markets, store } = await follow(t, {}, 2_000, { history: recorded.history })
  simulator.faults.set('kalshi', 'drop_delta', { count: 1 })
  await until(() => recorded.gaps.length > 0)
  const [gap] = recorded.gaps as [(typeof recorded.gaps)[number]]
  t.match(gap, { venue: 'kalshi', kind: 'sequence_gap', connection: 'kalshi' })
  const sid = Number(gap.subscription)
  const numbers = messagesOf(recorded, 1).filter((one) => one.sid === sid && one.seq !== undefined)
  const before = numbers.findIndex(({ seq }, i) => i > 0 && seq !== (numbers[i - 1]?.seq ?? 0) + 1)
  t.equal(gap.fromSequence, (numbers[before - 1]?.seq ?? 0) + 1)
  t.equal(gap.toSequence, (numbers[before]?.seq ?? 0) - 1)
  t.same(new Set(gap.slots), new Set(markets().map(({ id }) => store.get(`kalshi:${id}`)?.slot)))
  t.ok(gap.startedAtMs <= gap.detectedAtMs)
  t.ok(gap.detectedAtMs - gap.startedAtMs < 5_000)
})

t.test('a gap of trades is told and makes no book doubtful', async (t) => {
  const recorded = taps()
  let lost = 0
  const passes = (text: string) => (text.startsWith('{"type":"trade"') && lost++ === 0 ? null : text)
  const options = (kalshi: Simulator['kalshi']) => relayed(t, kalshi, passes)
  const { simulator, markets, store, incidents } = await follow(
    t,
    { rate: 0 },
    2_000,
    { history: recorded.history },
    options
  )
  await until(() => sidOf(recorded, 'trade') !== undefined)
  const states = new Set<string>()
  const tell = store.books.onState
  store.books.onState = (slot) => {
    tell(slot)
    states.add(store.books.verdicts.state(slot))
  }
  simulator.world.setRate(400)
  await until(() => recorded.gaps.length > 0)
  t.match(recorded.gaps, [
    { kind: 'sequence_gap', subscription: 'trade', connection: 'kalshi', fromSequence: 1, toSequence: 1 }
  ])
  t.equal(recorded.gaps[0]?.slots.length, markets().length)
  t.same([...states], [])
  t.equal(incidents.total, 0)
})

t.test(
  'trades are subscribed in halves where the venue takes fewer, and again where it ends them',
  async (t) => {
    const recorded = taps()
    let answers = 0
    let trades = 0
    const passes = (text: string) => {
      const { type, id, sid, seq, msg } = JSON.parse(text)
      if (type === 'subscribed' && msg.channel === 'trade' && answers++ === 0)
        return JSON.stringify({ type: 'error', id, msg: { code: 26, msg: 'too many' } })
      if (type !== 'trade' || trades++ !== 2) return text
      return JSON.stringify({ type: 'error', sid, seq, msg: { code: 10, msg: 'channel error' } })
    }
    const { simulator, markets, verdict } = await follow(
      t,
      { rate: 0 },
      60_000,
      { history: recorded.history, random: () => 0 },
      (kalshi) => relayed(t, kalshi, passes)
    )
    const asked = () =>
      recorded
        .of('command')
        .map(({ text }) => JSON.parse(text).params)
        .filter(({ channels }) => channels?.[0] === 'trade')
        .map(({ market_tickers: tickers }) => tickers.length)
    await until(() => asked().length === 3)
    t.same(asked(), [12, 6, 6])
    simulator.world.setRate(400)
    await until(() => recorded.gaps.some(({ detail }) => detail.includes('error 10')))
    t.match(recorded.gaps[0], { kind: 'sequence_gap', subscription: 'trade', fromSequence: null })
    const told = recorded.trades.length
    t.equal(told, 2)
    await until(() => recorded.trades.length > told + 5)
    t.ok(markets().every((market) => verdict(market)?.state === 'live'))
  }
)

t.test('a lost connection is told with the time of its last message', async (t) => {
  const recorded = taps()
  const { simulator, markets } = await follow(t, {}, 2_000, { history: recorded.history })
  simulator.faults.set('kalshi', 'cut_socket', { count: 1 })
  await until(() => recorded.gaps.some(({ kind }) => kind === 'disconnected'))
  const gap = recorded.gaps.find(({ kind }) => kind === 'disconnected')
  t.match(gap, { venue: 'kalshi', connection: 'kalshi', fromSequence: null })
  t.equal(gap?.slots.length, markets().length)
  t.equal(gap?.startedAtMs, recorded.of('frame', 1).at(-1)?.atMs)
  t.match(recorded.of('closed'), [{ connection: 1 }])
  await until(() => recorded.of('adopted').length === 2)
})

t.test('during a handover both connections are heard, and the swap is told', async (t) => {
  const recorded = taps()
  const { feed, simulator } = await follow(t, { rate: 1_000 }, 2_000, { history: recorded.history })
  const made = tradesOf(simulator.world)
  const known = new Set(recorded.trades.map(({ tradeId }) => tradeId))
  const { connections } = await feed.recycle({ signal: new AbortController().signal, onProgress: () => {} })
  t.match(connections, [{ outcome: 'swapped' }])
  t.ok(recorded.of('frame', 1).length > 0)
  const swap = recorded.events.findIndex(({ kind, connection }) => kind === 'adopted' && connection === 2)
  const before = recorded.events.slice(0, swap)
  t.ok(before.some(({ kind, connection }) => kind === 'frame' && connection === 2))
  t.match(recorded.events.slice(swap), [{ kind: 'adopted' }])
  t.match(recorded.of('closed'), [{ connection: 1 }])
  simulator.world.setRate(0)
  await until(() => [...made.keys()].every((id) => recorded.trades.some(({ tradeId }) => tradeId === id)))
  const told = recorded.trades.map(({ tradeId }) => tradeId).filter((id) => !known.has(id))
  t.equal(new Set(told).size, told.length, 'each trade is told once')
})

t.test('what audits read and find wrong is told', async (t) => {
  const recorded = taps()
  const { store, markets, verdict } = await follow(t, { rate: 0 }, 1_000, { history: recorded.history })
  await until(() => recorded.polled.length > markets().length)
  const [market] = markets() as [SimMarket]
  const slot = store.get(`kalshi:${market.id}`)?.slot ?? -1
  const verifiedAtMs = verdict(market)?.verifiedAtMs
  store.books.arena.setLevel(slot, 0, 1, 7_000_000)
  await until(() => recorded.gaps.some(({ kind }) => kind === 'audit_mismatch'))
  const gap = recorded.gaps.find(({ kind }) => kind === 'audit_mismatch')
  t.match(gap, { connection: 'kalshi', slots: [slot] })
  t.ok((gap?.startedAtMs ?? 0) >= (verifiedAtMs ?? Number.POSITIVE_INFINITY))
  t.ok(recorded.polled.every(({ levels }) => levels > 0))
})

t.test('polled books are told, and those that change what is served are on the wire', async (t) => {
  const recorded = taps()
  const { markets } = await follow(t, { rate: 0 }, 2_000, { history: recorded.history, signer: null })
  await until(() => recorded.polled.length > 2 * markets().length)
  const tickers = recorded.of('rest').map(({ text }) => JSON.parse(text).ticker)
  t.same(new Set(tickers), new Set(markets().map(({ id }) => id)))
  t.equal(tickers.length, markets().length, 'one that is as it was is not written again')
  t.same(recorded.trades, [])
})

t.test('an outage of REST is missing coverage and a gap of the books that are polled', async (t) => {
  const store = new SnapshotStore({ capacityMarkets: 64, capacityLevels: 64 * 256 })
  const memory = new MemoryHistoryStore()
  const recorder = new HistoryRecorder({
    store,
    history: memory,
    flushMs: 10,
    queueMax: 10_000,
    gapFillIntervalMs: 1_000_000,
    log: { info: () => {}, warn: () => {} },
    now: Date.now,
    steadyNow: performance.now.bind(performance),
    random: () => 0
  })
  recorder.start()
  t.teardown(() => recorder.stop())
  const { onTrade, onGap, onPolled } = recorder
  const { simulator, verdict, markets } = await follow(
    t,
    { rate: 0, marketsPerVenue: 3 },
    2_000,
    { sink: store, signer: null, history: { wire: null, onTrade, onGap, onPolled } },
    async () => ({ KALSHI_POLL_INTERVAL_MS: 250 })
  )
  const outage = Date.now()
  simulator.faults.set('kalshi', 'rest_status', { status: 503 })
  await until(() => markets().every((one) => verdict(one)?.reason === 'poll_overdue'))
  simulator.faults.clear('rest_status')
  await until(() => markets().every((one) => verdict(one)?.state === 'live'))
  await until(() => recorder.status().openGaps === 0)
  await recorder.flush()
  for (const { id } of markets()) {
    const told = await memory.coverage({ marketId: `kalshi:${id}`, fromMs: outage, toMs: Date.now() + 1 })
    t.match(
      told.map(({ kind, reason }) => `${kind} ${reason}`),
      ['degraded polled', 'missing poll_overdue', 'degraded polled']
    )
  }
  const gaps = [...memory.gapRows.values()]
  t.same(
    new Set(gaps.flatMap(({ marketIds }) => marketIds)),
    new Set(markets().map(({ id }) => `kalshi:${id}`))
  )
  for (const gap of gaps) {
    t.match(gap, { kind: 'disconnected', connection: null, recoveredBy: 'rest' })
    t.ok(gap.startedAtMs < gap.detectedAtMs - 500, 'from the last answer on')
    t.ok((gap.endedAtMs ?? 0) > gap.detectedAtMs)
  }
})
