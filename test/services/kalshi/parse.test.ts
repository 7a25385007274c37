import assert from 'node:assert/strict'
import { constants, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { ConfigError } from '../../../services/errors.ts'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { loadSigner } from '../../../services/kalshi/auth.ts'
import { KalshiDiscovery } from '../../../services/kalshi/discovery.ts'
import { MarketClock } from '../../../services/kalshi/market-clock.ts'
import {
  Delta,
  parseDelta,
  parseFrame,
  parseLifecycle,
  parseSnapshot
} from '../../../services/kalshi/parse.ts'
import { parseEvent, parseMarket, parsePriceBands, parseTime } from '../../../services/kalshi/parse-market.ts'
import { PolledBooks } from '../../../services/kalshi/polled-books.ts'
import { KalshiRest } from '../../../services/kalshi/rest.ts'
import { getDepth } from '../../../services/orderbook/depth.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'
import { Counters } from '../../../services/venue/counters.ts'

const DATA = '../shared/data/kalshi'
const skip = existsSync(DATA) ? false : 'the captures are not here'
const read = (name: string) => {
  const bytes = readFileSync(`${DATA}/${name}`)
  return JSON.parse((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString())
}

const RAW = {
  ticker: 'KXDEMO-26DEC31-T50.5',
  event_ticker: 'KXDEMO-26DEC31',
  title: 'Demo?',
  yes_sub_title: '50 or more',
  no_sub_title: 'Below 50',
  status: 'active',
  result: '',
  open_time: '2026-09-25T19:00:00.28268Z',
  close_time: '2026-12-31T20:00:00Z',
  price_ranges: [
    { start: '0.0000', end: '0.1000', step: '0.0010' },
    { start: '0.1000', end: '1.0000', step: '0.0100' }
  ],
  volume_fp: '1520.50',
  volume_24h_fp: '0.00',
  open_interest_fp: '12345678901234567.10',
  rules_primary: 'First.',
  rules_secondary: 'Second.'
}
const EVENT = {
  event_ticker: 'KXDEMO-26DEC31',
  series_ticker: 'KXDEMO',
  title: 'Demo event',
  category: 'Demos',
  mutually_exclusive: true
}
const parsed = (change: object = {}, event: unknown = null) => {
  const one = parseMarket({ ...RAW, ...change }, parseEvent(event))
  return 'refused' in one ? one.refused : one
}

t.test('a market is taken over in our words, nothing invented', async (t) => {
  t.same(parsed(), {
    market: {
      id: 'kalshi:KXDEMO-26DEC31-T50.5',
      venue: 'kalshi',
      venueMarketId: 'KXDEMO-26DEC31-T50.5',
      symbol: 'KXDEMO-26DEC31-T50.5',
      eventId: 'kalshi:KXDEMO-26DEC31',
      title: 'Demo?',
      outcomes: { yes: '50 or more', no: 'Below 50' },
      tokens: null,
      status: 'open',
      result: null,
      openTime: '2026-09-25T19:00:00.282Z',
      closeTime: '2026-12-31T20:00:00.000Z',
      eventStartTime: null,
      priceBands: [
        { start: '0', end: '0.1', step: '0.001' },
        { start: '0.1', end: '1', step: '0.01' }
      ],
      minOrderSize: null,
      volume: '1520.5',
      volume24h: '0',
      volumeUnit: 'contracts',
      openInterest: '12345678901234567.1'
    },
    rules: 'First.\n\nSecond.',
    event: null
  })
  t.match(parsed({ title: undefined }, EVENT), { market: { title: 'Demo event: 50 or more' } })
  t.match(parsed({ title: '', yes_sub_title: '', no_sub_title: null }, EVENT), {
    market: { title: 'Demo event', outcomes: { yes: 'Yes', no: 'No' } }
  })
  t.match(parsed({ volume_fp: undefined, open_interest_fp: null, close_time: null, price_ranges: null }), {
    market: { volume: null, openInterest: null, closeTime: null, priceBands: [] }
  })
  t.same(parseEvent(EVENT), {
    id: 'kalshi:KXDEMO-26DEC31',
    venue: 'kalshi',
    venueEventId: 'KXDEMO-26DEC31',
    symbol: 'KXDEMO-26DEC31',
    seriesId: 'KXDEMO',
    title: 'Demo event',
    category: 'Demos',
    mutuallyExclusive: true
  })
})

t.test('every status word has its meaning; what does not fit refuses the market, by its field', async (t) => {
  const words = {
    initialized: 'pending',
    active: 'open',
    inactive: 'halted',
    closed: 'closed',
    determined: 'closed',
    disputed: 'closed',
    amended: 'closed',
    finalized: 'settled'
  }
  for (const [word, status] of Object.entries(words))
    t.match(parsed({ status: word }), { market: { status } })
  const refused: [string, object][] = [
    ['status', { status: 'sleeping' }],
    ['ticker', { ticker: 7 }],
    ['ticker', { ticker: 'A B' }],
    ['title', { title: '', yes_sub_title: '' }],
    ['title', { title: {} }],
    ['open_time', { open_time: 1_795_176_000 }],
    ['close_time', { close_time: '2026-13-01T00:00:00Z' }],
    ['close_time', { close_time: 'tomorrow' }],
    ['volume_fp', { volume_fp: '-1.00' }],
    ['volume_24h_fp', { volume_24h_fp: '1e9' }],
    ['price_ranges', { price_ranges: [{ start: '0', end: '1', step: '0' }] }],
    ['price_ranges', { price_ranges: [{ start: '0', end: '1', step: '0.00001' }] }],
    ['price_ranges', { price_ranges: {} }],
    ['rules_primary', { rules_primary: 5 }],
    ['result', { result: true }]
  ]
  for (const [field, change] of refused) t.equal(parsed(change), field)
  t.same(parseMarket(null, null), { refused: 'market' })
  t.equal(parseEvent({ ...EVENT, mutually_exclusive: 'yes' }), null)
})

t.test('no value throws out of a parser', async () => {
  const [yes, no] = [new LevelList(), new LevelList()]
  const value = fc.oneof(
    fc.anything(),
    fc.record({ market_ticker: fc.anything(), yes: fc.anything(), no_dollars: fc.anything() })
  )
  fc.assert(
    fc.property(value, fc.constantFrom(...Object.keys(RAW)), (any, field) => {
      parseFrame(Buffer.from(JSON.stringify(any) ?? ''))
      parseDelta(any, false, new Delta())
      parseSnapshot(any, true, yes, no)
      parseLifecycle(any)
      parsePriceBands(any)
      parseTime(any)
      parseEvent(any)
      parseMarket(any, null)
      parseMarket({ ...RAW, [field]: any }, null)
    }),
    { numRuns: 500 }
  )
})

t.test('recorded REST answers parse', { skip }, async (t) => {
  const markets = (list: unknown[]) => {
    for (const raw of list) {
      const one = parseMarket(raw, null)
      assert.ok(!('refused' in one), JSON.stringify(one))
      assert.equal(Number(one.market.volume), Number((raw as { volume_fp: string }).volume_fp))
    }
    return list.length
  }
  const { nested, single, orderbook } = read('rest/market_and_orderbook_2026-08-09.json')
  t.equal(markets([nested, single.market]), 2)
  t.ok(markets(read('rest/markets_open_KXBTC_2026-09-25.json').markets) > 0)
  t.equal(markets(read('rest/markets_NBA_game_2026-09-late.json').markets), 2)
  t.equal(markets(Object.values(read('rest_transition/2026-03-09_markets_KXFEDMENTION-26MAR.json.gz'))), 46)
  const { events } = read('rest/events_nested_nfl_2026-08-09.json.gz')
  for (const event of events)
    t.match(parseEvent(event), { symbol: event.event_ticker, mutuallyExclusive: true })
  t.equal(markets(events.flatMap((event: { markets: unknown[] }) => event.markets)), 64)
  for (const { price_ranges } of read('rest/price_grids_2026-08-08.json').grids)
    t.ok(parsePriceBands(price_ranges), JSON.stringify(price_ranges))

  const table = new BookTable({ capacityMarkets: 4, capacityLevels: 4_096 })
  const polled = new PolledBooks(table)
  const slot = table.allocate()
  const { yes_dollars, no_dollars } = orderbook.orderbook_fp
  t.equal(polled.apply(slot, orderbook.orderbook_fp, 1), 'changed')
  const { bids, asks } = getDepth(table.arena, slot, 1_000)
  const numbers = (levels: { price: string; size: string }[]) =>
    levels.map(({ price, size }) => [+price, +size])
  t.same(
    numbers(bids),
    yes_dollars.toReversed().map(([p, s]: [string, string]) => [+p, +s])
  )
  t.same(
    numbers(asks),
    no_dollars
      .toReversed()
      .map(([p, s]: [string, string]) => [(10_000 - +p * 10_000) / 10_000, +s])
      .map(([p, s]: [number, number]) => [Math.round(p * 10_000) / 10_000, s])
  )
  t.equal(polled.apply(slot, orderbook.orderbook_fp, 2), 'same')
  t.equal(table.verdicts.receivedAtMs(slot), 1)
  for (const { orderbook_fp } of read('rest/combo_orderbooks_2026-08-09.json'))
    t.not(polled.apply(slot, orderbook_fp, 3), 'drift')
  t.equal(polled.apply(slot, read('rest_transition/2026-01_orderbook.json').response.orderbook, 4), 'changed')
  t.same(getDepth(table.arena, slot, 10), { bids: [], asks: [] })
  t.equal(polled.apply(slot, { yes_levels: [] }, 5), 'drift')
})

t.test('a polled book that crosses itself is flagged until one does not', async (t) => {
  const table = new BookTable({ capacityMarkets: 1, capacityLevels: 64 })
  const polled = new PolledBooks(table)
  const slot = table.allocate()
  const crossed = { yes_dollars: [['0.5', '1']], no_dollars: [['0.5', '1']] }
  polled.apply(slot, crossed, 1)
  t.match(table.verdicts.get(slot), { state: 'suspect', reason: 'crossed' })
  t.equal(polled.apply(slot, crossed, 2), 'same')
  t.equal(table.verdicts.reason(slot), 'crossed')
  polled.apply(slot, { yes_dollars: [['0.4', '1']], no_dollars: [['0.5', '1']] }, 3)
  t.equal(table.verdicts.state(slot), 'live')
})

t.test('requests are signed with RSA-PSS or Ed25519, from text with escapes or from a file', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'crossbook-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const file = join(folder, 'key.pem')
  const keys = [generateKeyPairSync('rsa', { modulusLength: 2048 }), generateKeyPairSync('ed25519')] as const
  for (const { privateKey, publicKey } of keys) {
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    writeFileSync(file, pem)
    for (const secret of [pem, pem.replaceAll('\n', '\\n'), file]) {
      const headers =
        loadSigner('key-id', secret, () => 1_795_176_000_123)?.('get', '/trade-api/v2/markets') ?? {}
      t.match(headers, { 'KALSHI-ACCESS-KEY': 'key-id', 'KALSHI-ACCESS-TIMESTAMP': '1795176000123' })
      const signed = Buffer.from('1795176000123GET/trade-api/v2/markets')
      const signature = Buffer.from(headers['KALSHI-ACCESS-SIGNATURE'] ?? '', 'base64')
      const key = createPublicKey(publicKey.export({ type: 'spki', format: 'pem' }))
      const isRsa = publicKey.asymmetricKeyType === 'rsa'
      const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
      t.ok(isRsa ? verify('sha256', signed, pss, signature) : verify(null, signed, key, signature))
    }
  }
  t.equal(loadSigner('', ''), null)
})

t.test('a key that cannot be used is named in one sentence that holds none of it', async (t) => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const wrong = [
    '-----BEGIN PRIVATE KEY-----\\nS3cr3t\\n-----END PRIVATE KEY-----',
    '/no/such/S3cr3t.pem',
    privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
    ''
  ]
  for (const secret of wrong) {
    try {
      loadSigner('key-id', secret)
      t.fail('it was taken')
    } catch (error) {
      t.ok(error instanceof ConfigError)
      const { message, cause, stack } = error as Error
      t.match(message, /^[^.\n]*KALSHI_API_SECRET[^.\n]*$/)
      t.notMatch(`${message}${stack}`, /S3cr3t|BEGIN|MIG/)
      t.equal(cause, undefined)
    }
  }
})

t.test(
  'REST: pages are walked by cursor, answers that are none are refused, followed markets are looked up',
  async (t) => {
    const asked: string[] = []
    let answer: (url: URL) => [number, unknown] = () => [200, {}]
    const server = createServer((request, response) => {
      asked.push(request.url ?? '')
      const [status, body] = answer(new URL(request.url ?? '', 'http://localhost'))
      response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/trade-api/v2`
    const headers: string[] = []
    const rest = new KalshiRest({
      base,
      signer: (method, path) => {
        headers.push(`${method} ${path}`)
        return {}
      }
    })
    t.teardown(async () => {
      await rest.close()
      server.close()
    })
    const counters = new Counters()
    const discovery = new KalshiDiscovery({
      rest,
      counters,
      series: [],
      tickers: ['KXMVENAMED-1'],
      maxMarkets: 10
    })
    answer = ({ pathname, searchParams }) => {
      if (pathname.endsWith('/markets'))
        return [
          200,
          {
            markets: (searchParams.get('tickers') ?? '')
              .split(',')
              .filter((one) => one !== 'GONE')
              .map((ticker) => ({ ...RAW, ticker, status: 'finalized', result: 'no' })),
            cursor: ''
          }
        ]
      if (searchParams.has('tickers')) return [200, { events: [EVENT], cursor: null }]
      const page = Number(searchParams.get('cursor') ?? 0)
      const market = { ...RAW, ticker: `KXDEMO-${page}` }
      const others = [
        { ...market, ticker: 'OVER', status: 'finalized' },
        { ...market, ticker: 'ODD', status: 'odd' }
      ]
      return [
        200,
        {
          events: [{ ...EVENT, markets: [market, ...others] }, 'nonsense'],
          cursor: page < 2 ? String(page + 1) : ''
        }
      ]
    }
    const { found, named } = await discovery.discover(new Set(['KXDEMO-1', 'LATE', 'GONE']))
    t.same(
      found.map(({ market }) => market.symbol),
      ['KXDEMO-0', 'KXDEMO-1', 'KXDEMO-2', 'KXMVENAMED-1', 'LATE']
    )
    t.same([...named], ['kalshi:KXMVENAMED-1'])
    t.match(found.at(-1), { market: { status: 'settled', result: 'no' }, event: { title: 'Demo event' } })
    t.same(Object.fromEntries(counters.seen), { market_refused_status: 3, event_refused: 3 })
    t.ok(asked.some((url) => url.includes('tickers=KXMVENAMED-1%2CLATE%2CGONE')))
    t.equal(headers[0], 'GET /trade-api/v2/events', 'signed without the query')

    answer = ({ pathname }) =>
      pathname.endsWith('/events') ? [200, { events: [EVENT] }] : [200, { markets: [RAW], cursor: '' }]
    const asks = asked.length
    t.match(await discovery.discoverNew(1_795_176_000_999), [
      { market: { status: 'open' }, event: { id: /./ } }
    ])
    t.match(asked[asks], /\/markets\?mve_filter=exclude&min_created_ts=1795176000&limit=1000/)

    answer = () => [200, { cursor: '' }]
    await t.rejects(discovery.discover(new Set()), { code: 'VENUE_REST' })
    await t.rejects(rest.orderBook('A'), { message: /without an order book/ })
    answer = () => [200, []]
    await t.rejects(rest.isTrading(), { message: /no object/ })
    answer = () => [503, { trading_active: false }]
    t.equal(await rest.isTrading(), false)
    for (const body of [
      { error: { code: 'bad_request', details: 'x' } },
      { error: 'plain' },
      { code: 'bare' },
      null
    ]) {
      answer = () => [400, body]
      t.match(await rest.markets(['A']).catch((error: unknown) => error), { status: 400, code: 'VENUE_REST' })
    }
    answer = () => [401, { error: 'no' }]
    const asked401 = headers.length
    t.match(await rest.markets(['A']).catch((error: unknown) => error), { status: 401 })
    t.equal(headers.length, asked401 + 1, 'asked with the key, and then without')
    t.match(rest.refusal, /answered 401/)
    await t.rejects(rest.markets(['A']))
    const signatures = asked401 + 1
    t.equal(headers.length, signatures, 'nothing is signed any more')
  }
)

t.test('only what was asked for is followed when it is created', async (t) => {
  const rest = new KalshiRest({ base: 'http://127.0.0.1:9', signer: null })
  t.teardown(() => rest.close())
  const selects = (series: string[], ticker: string) =>
    new KalshiDiscovery({
      rest,
      counters: new Counters(),
      series,
      tickers: ['KXMVE-1'],
      maxMarkets: 1
    }).selects(ticker)
  t.ok(selects([], 'KXDEMO-1'))
  t.notOk(selects([], 'KXMVE-2'))
  t.ok(selects([], 'KXMVE-1'))
  t.ok(selects(['KXDEMO'], 'KXDEMO-1'))
  t.notOk(selects(['KXDEMO'], 'KXDEMOTHER-1'))
})

t.test(
  'the clock rings once for each market, in order of time, and not for what was moved or cleared',
  async (t) => {
    const rung: string[] = []
    const clock = new MarketClock({ onDue: (id) => rung.push(id) })
    t.teardown(() => clock.stop())
    const startMs = Date.now()
    const all = Array.from({ length: 200 }, (_, i) => ({
      id: `m${i}`,
      atMs: startMs + ((i * 7919) % 200) / 2
    }))
    for (const { id } of all) clock.set(id, startMs + 1_000_000)
    for (const { id, atMs } of all) clock.set(id, atMs)
    clock.set('far', startMs + 2 ** 40)
    clock.set('cleared', startMs)
    clock.clear('cleared')
    while (rung.length < all.length) await new Promise((resolve) => setTimeout(resolve, 5))
    const expected = all.toSorted((a, b) => a.atMs - b.atMs)
    t.same(
      rung.map((id) => all.find((one) => one.id === id)?.atMs),
      expected.map(({ atMs }) => atMs)
    )
  }
)
