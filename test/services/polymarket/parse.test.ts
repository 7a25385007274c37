import { existsSync, readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { EventSchema } from '../../../schemas/event.ts'
import { MARKET_SCHEMAS, type Market } from '../../../schemas/market.ts'
import { discoverMarkets, lookUpMarkets } from '../../../services/polymarket/discovery.ts'
import type { GammaMarket } from '../../../services/polymarket/messages.ts'
import { parseFrame, parseRestBook } from '../../../services/polymarket/parse.ts'
import {
  type ParsedPage,
  parseEvent,
  parseMarket,
  parsePage,
  parseTime
} from '../../../services/polymarket/parse-market.ts'

const CAPTURES = '../shared/data/polymarket'
const withCaptures = existsSync(CAPTURES) ? {} : { skip: 'the captures are not on this machine' }

const CONDITION = `0x${'5ec1a7e0'.repeat(8)}`

function market(overrides: Record<string, unknown> = {}): GammaMarket {
  return {
    id: '3900123',
    slug: 'btc-updown-5m-1795000200',
    question: 'Bitcoin Up or Down - Nov 18, 6:10AM-6:15AM ET',
    conditionId: CONDITION,
    description: 'Resolves to Up if the price rises.',
    outcomes: '["Up", "Down"]',
    outcomePrices: '["0.425", "0.575"]',
    clobTokenIds: '["7074", "2470"]',
    active: true,
    closed: false,
    archived: false,
    acceptingOrders: true,
    enableOrderBook: true,
    acceptingOrdersTimestamp: '2026-11-17T11:10:00Z',
    endDate: '2026-11-18T11:15:00Z',
    eventStartTime: '2026-11-18T11:10:00.5Z',
    volume: '30335.869374999984',
    volume24hr: 30335.869374999984,
    orderPriceMinTickSize: 0.01,
    orderMinSize: 5,
    ...overrides
  }
}

function event(overrides: Record<string, unknown> = {}) {
  return {
    id: '30829',
    slug: 'btc-updown',
    title: 'Bitcoin Up or Down',
    seriesSlug: 'btc-up-or-down-5m',
    negRisk: true,
    volume24hr: 100,
    markets: [market()],
    ...overrides
  }
}

const parsed = (overrides: Record<string, unknown> = {}) => parseMarket(market(overrides))?.market

t.test('a Gamma market becomes a market of ours', async (t) => {
  t.same(parseEvent(event())?.markets, [
    {
      market: {
        id: `polymarket:${CONDITION}`,
        venue: 'polymarket',
        venueMarketId: CONDITION,
        symbol: 'btc-updown-5m-1795000200',
        eventId: 'polymarket:30829',
        title: 'Bitcoin Up or Down - Nov 18, 6:10AM-6:15AM ET',
        outcomes: { yes: 'Up', no: 'Down' },
        tokens: { yes: '7074', no: '2470' },
        status: 'open',
        result: null,
        openTime: '2026-11-17T11:10:00.000Z',
        closeTime: '2026-11-18T11:15:00.000Z',
        eventStartTime: '2026-11-18T11:10:00.500Z',
        priceBands: [{ start: '0', end: '1', step: '0.01' }],
        minOrderSize: '5',
        volume: '30335.869374',
        volume24h: '30335.869374',
        volumeUnit: 'dollars',
        openInterest: null
      },
      rules: 'Resolves to Up if the price rises.',
      event: {
        id: 'polymarket:30829',
        venue: 'polymarket',
        venueEventId: '30829',
        symbol: 'btc-updown',
        seriesId: 'btc-up-or-down-5m',
        title: 'Bitcoin Up or Down',
        category: null,
        mutuallyExclusive: true
      }
    }
  ])
})

t.test('what Gamma leaves out is null, never a guess', async (t) => {
  const { id, slug, question, conditionId, outcomes, clobTokenIds, enableOrderBook } = market()
  const bare = {
    id,
    slug,
    question,
    conditionId,
    outcomes,
    clobTokenIds,
    enableOrderBook,
    volume: '',
    endDate: ''
  }
  t.match(parseMarket(bare), {
    market: {
      eventId: null,
      status: 'pending',
      openTime: null,
      closeTime: null,
      eventStartTime: null,
      priceBands: [],
      minOrderSize: null,
      volume: null,
      volume24h: null
    },
    rules: '',
    event: null
  })
})

t.test('a market without a book of two outcomes is none of ours', async (t) => {
  const without: Record<string, unknown>[] = [
    { enableOrderBook: false },
    { enableOrderBook: undefined },
    { conditionId: '' },
    { clobTokenIds: undefined },
    { clobTokenIds: '' },
    { clobTokenIds: '[]' },
    { clobTokenIds: '["1"]' },
    { clobTokenIds: '["1",""]' },
    { clobTokenIds: '["1","1"]' },
    { clobTokenIds: [1, 2] },
    { outcomes: '["A","B","C"]' },
    { outcomes: 'Yes, No' },
    { slug: undefined },
    { question: '' }
  ]
  for (const one of without) t.equal(parsed(one), undefined, JSON.stringify(one))
  t.match(parsed({ clobTokenIds: ['1', '2'], outcomes: ['Yes', 'No'] }), {
    tokens: { yes: '1', no: '2' },
    outcomes: { yes: 'Yes', no: 'No' }
  })
  t.match(parsed({ version: 'v2', positionIds: ['8', '9'] }), { tokens: { yes: '8', no: '9' } })
  t.equal(parsed({ version: 'v2' }), undefined, 'its CTF tokens are not what the CLOB knows')
})

t.test('status and result follow the rules of the venue', async (t) => {
  const closed = { closed: true, umaResolutionStatus: 'resolved' }
  const cases: [Record<string, unknown>, Market['status'], string | null][] = [
    [{}, 'open', null],
    [{ endDate: '2020-01-01T00:00:00Z' }, 'open', null],
    [{ umaResolutionStatus: 'proposed' }, 'open', null],
    [{ active: false }, 'pending', null],
    [{ deploying: true }, 'pending', null],
    [{ pendingDeployment: true }, 'pending', null],
    [{ acceptingOrders: false }, 'halted', null],
    [{ acceptingOrders: undefined }, 'halted', null],
    [{ archived: true }, 'halted', null],
    [{ closed: true }, 'closed', null],
    [{ closed: true, outcomePrices: '["1","0"]' }, 'closed', null],
    [{ ...closed, outcomePrices: '["0.9995","0.0005"]' }, 'closed', null],
    [{ ...closed, outcomePrices: '["0","0"]' }, 'closed', null],
    [{ ...closed, outcomePrices: '["1","0"]' }, 'settled', 'yes'],
    [{ ...closed, outcomePrices: '["0","1"]' }, 'settled', 'no'],
    [{ ...closed, umaResolutionStatus: 'settled', outcomePrices: ['0', '1'] }, 'settled', 'no'],
    [{ ...closed, outcomePrices: '["0.5","0.5"]' }, 'settled', '50-50'],
    [{ closed: true, automaticallyResolved: true, outcomePrices: '["1", "0"]' }, 'settled', 'yes'],
    [{ ...closed, outcomePrices: 'x' }, 'closed', null]
  ]
  for (const [fields, status, result] of cases)
    t.match(parsed(fields), { status, result }, JSON.stringify(fields))
})

t.test('the three forms of time', async (t) => {
  t.equal(parseTime('2026-07-24T00:00:00Z'), '2026-07-24T00:00:00.000Z')
  t.equal(parseTime('2026-03-11T09:29:01.328428Z'), '2026-03-11T09:29:01.328Z')
  t.equal(parseTime('2026-07-24 00:00:16+00'), '2026-07-24T00:00:16.000Z')
  t.equal(parseTime('2026-07-24 02:00:16+02:00'), '2026-07-24T00:00:16.000Z')
  t.equal(parseTime('2026-07-24'), '2026-07-24T00:00:00.000Z')
  for (const none of ['', 'soon', '2026-13-40', '2026-07-24T00:00:00', 1795000000, null])
    t.equal(parseTime(none), null)
  t.match(parsed({ eventStartTime: undefined, gameStartTime: '2026-07-24 00:00:16+00' }), {
    eventStartTime: '2026-07-24T00:00:16.000Z'
  })
})

t.test('volumes lose their float noise and their exponents, and nothing else', async (t) => {
  const volumes: [unknown, string | null][] = [
    ['79945.98005599984', '79945.980055'],
    ['0.0000001', '0'],
    [1e-7, '0'],
    [0.30000000000000004, '0.3'],
    [12, '12'],
    ['12.50', '12.5'],
    ['x', null],
    [Number.NaN, null],
    [{}, null]
  ]
  for (const [value, expected] of volumes) t.equal(parsed({ volume: value })?.volume, expected)
  t.equal(parsed({ orderPriceMinTickSize: '0.0025' })?.priceBands[0]?.step, '0.0025')
})

t.test('the captures', withCaptures, async (t) => {
  const ajv = new Ajv2020({ strict: false })
  formats.default(ajv)
  ajv.addSchema(MARKET_SCHEMAS.slice(0, 2))
  const isMarket = ajv.compile({ $ref: 'Market' })
  const isEvent = ajv.compile(EventSchema)
  const check = (t: Test, items: unknown[]) => {
    for (const item of items) {
      const one = parseMarket(item)
      if (one === null) return t.fail('a market was not understood')
      t.ok(isMarket(one.market), ajv.errorsText(isMarket.errors))
      if (one.event !== null) t.ok(isEvent({ ...one.event, marketIds: [] }), ajv.errorsText(isEvent.errors))
    }
  }
  const read = (name: string) => readFileSync(`${CAPTURES}/${name}`)

  t.test('open markets, with their events', async (t) => {
    const items = [JSON.parse(read('gamma/market_2026-03.json').toString())]
    items.push(...JSON.parse(read('gamma/markets_2026-06-27.json').toString()))
    check(t, items)
    t.match(parseMarket(items[0]), {
      market: { status: 'open', outcomes: { yes: 'Up', no: 'Down' }, volume: '9.999997', openTime: String },
      event: { venueEventId: '260654', seriesId: 'btc-up-or-down-5m' }
    })
  })

  t.test('resolved markets, with the winner that the venue names', async (t) => {
    const lines = gunzipSync(read('gamma/markets_btc_updown_5m_2026-06-08_first100.jsonl.gz'))
      .toString()
      .trim()
      .split('\n')
    const items = lines.map((line) => JSON.parse(line)).map((line) => line.raw ?? line)
    check(t, items)
    for (const item of items) {
      const winner = JSON.parse(item.outcomes)[JSON.parse(item.outcomePrices).indexOf('1')]
      const { market } = parseMarket(item) as { market: Market }
      t.equal(market.status, 'settled')
      t.equal(market.result === 'yes' ? market.outcomes.yes : market.outcomes.no, winner)
    }
  })

  t.test('a book of the CLOB', async (t) => {
    const book = parseRestBook(JSON.parse(read('clob/book_2024-10.json').toString()))
    t.equal(book?.timestampMs, 1728799418260)
    t.same(book?.bids.at(-1), { price: 1_000, size: 125_000_000 })
    t.same(book?.asks.at(-1), { price: 1_400, size: 705_000_000 })
  })
})

t.test('no value throws, whatever a venue answers', async () => {
  const anything = fc.oneof(
    fc.jsonValue(),
    fc.jsonValue().map((value) => event({ markets: value, id: value })),
    fc.dictionary(fc.constantFrom(...Object.keys(market())), fc.jsonValue()).map((fields) => market(fields)),
    fc
      .jsonValue()
      .map((value) => ({ events: value, markets: value, next_cursor: value, asset_id: '1', bids: value }))
  )
  fc.assert(
    fc.property(anything, (value) => {
      parseMarket(value)
      parseEvent(value)
      parsePage(value, 'events')
      parseRestBook(value)
      parseFrame(Buffer.from(JSON.stringify(value)))
    }),
    { numRuns: 1_000 }
  )
})

t.test('discovery', async (t) => {
  const oneMarket = (name: string, volume24hr: number) =>
    market({ conditionId: `0x${name}`, slug: name, volume24hr })
  const oneEvent = (id: string, volume24hr: number, ...markets: unknown[]) =>
    event({ id, volume24hr, markets })
  const ids = (found: { market: Market }[]) => found.map(({ market }) => market.venueMarketId).sort()

  /** Gamma as pages by cursor: `next` names the page that follows. */
  function gamma(pages: Record<string, { items: unknown[]; next: string | null }>) {
    const asked: (string | undefined)[] = []
    const fetchEvents = async (tag: string | undefined, cursor: string | null): Promise<ParsedPage> => {
      asked.push(`${tag ?? '*'}:${cursor ?? 'first'}`)
      const { items, next } = pages[cursor ?? 'first'] as { items: unknown[]; next: string | null }
      return { items, cursor: next }
    }
    return { asked, rest: { fetchEvents, fetchMarkets: async () => [] } }
  }

  t.test('follows the cursor to its end and knows each market once', async (t) => {
    const { asked, rest } = gamma({
      first: {
        items: [oneEvent('1', 9, oneMarket('a', 9)), oneEvent('2', 8, oneMarket('b', 8))],
        next: 'c1'
      },
      c1: {
        items: [oneEvent('2', 8, oneMarket('b', 7)), oneEvent('3', 7, oneMarket('c', 7)), 'x'],
        next: null
      }
    })
    t.same(ids(await discoverMarkets({ rest, tags: [], wanted: 10 })), ['0xa', '0xb', '0xc'])
    t.same(asked, ['*:first', '*:c1'])
  })

  t.test('stops when no later event can hold a busier market', async (t) => {
    const { asked, rest } = gamma({
      first: {
        items: [oneEvent('1', 900, oneMarket('a', 500), oneMarket('b', 1), oneMarket('c', 2))],
        next: 'c1'
      },
      c1: {
        items: [oneEvent('2', 400, oneMarket('d', 400)), oneEvent('3', 300, oneMarket('e', 300))],
        next: 'c2'
      },
      c2: { items: [oneEvent('4', 2, oneMarket('f', 2))], next: 'c3' }
    })
    const found = await discoverMarkets({ rest, tags: [], wanted: 3 })
    t.same(asked, ['*:first', '*:c1'], 'three markets were known after the first page, but not the busiest')
    t.ok(ids(found).includes('0xd'))
  })

  t.test('does not turn in a circle', async (t) => {
    const known = [oneEvent('1', 9, oneMarket('a', 9))]
    const repeats = gamma({ first: { items: known, next: 'c1' }, c1: { items: known, next: 'c2' } })
    await discoverMarkets({ rest: repeats.rest, tags: [], wanted: 10 })
    t.same(repeats.asked, ['*:first', '*:c1'], 'a page of known events')
    const same = gamma({
      first: { items: known, next: 'c1' },
      c1: { items: [oneEvent('2', 8)], next: 'c1' }
    })
    await discoverMarkets({ rest: same.rest, tags: [], wanted: 10 })
    t.same(same.asked, ['*:first', '*:c1'], 'a cursor that repeats')
  })

  t.test('reads each tag', async (t) => {
    const { asked, rest } = gamma({ first: { items: [oneEvent('1', 9, oneMarket('a', 9))], next: null } })
    t.same(ids(await discoverMarkets({ rest, tags: ['crypto', 'sports'], wanted: 10 })), ['0xa'])
    t.same(asked, ['crypto:first', 'sports:first'])
  })

  t.test('looks up by name, the closed ones too, and in portions', async (t) => {
    const asked: [number, boolean][] = []
    const rest = {
      fetchEvents: async (): Promise<ParsedPage> => ({ items: [], cursor: null }),
      fetchMarkets: async (conditionIds: readonly string[], closed: boolean) => {
        asked.push([conditionIds.length, closed])
        const state = closed ? { closed: true, conditionId: '0xold' } : { conditionId: conditionIds[0] }
        return [market({ ...state, tags: [{ slug: 'crypto' }, 7] }), 'x']
      }
    }
    const names = Array.from({ length: 60 }, (_, i) => `0x${i}`)
    const found = await lookUpMarkets(rest, names)
    t.same(asked, [
      [50, false],
      [50, true],
      [10, false],
      [10, true]
    ])
    t.same(ids(found), ['0x0', '0x50', '0xold'])
    t.same(found[0]?.tagSlugs, ['crypto'])
    t.same(await lookUpMarkets(rest, []), [])
  })
})
