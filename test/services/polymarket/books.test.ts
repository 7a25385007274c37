import { existsSync, readdirSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { getDepth } from '../../../services/orderbook/depth.ts'
import { MAX_LEVELS } from '../../../services/orderbook/levels.ts'
import { type Hint, PolymarketBooks } from '../../../services/polymarket/books.ts'
import { bookHash, type HashInputs } from '../../../services/polymarket/hash.ts'
import type { WireBook, WirePriceChanges } from '../../../services/polymarket/messages.ts'
import { type ParsedBook, parseRestBook } from '../../../services/polymarket/parse.ts'

const CAPTURES = '../shared/data/polymarket/ws'
const withCaptures = existsSync(CAPTURES) ? {} : { skip: 'the captures are not on this machine' }

// The market of the protocol page; its hashes are test vectors.
const MARKET = `0x${'5ec1a7e0'.repeat(8)}`
const Y = '70741852963074185296307418529630741852963074185296307418529630741852963074185'
const N = '24703692581470369258147036925814703692581470369258147036925814703692581470369'
const START = 1795000000000
const HASH_1 = 'fb2ceb0dd5ed85104c3e52536602f19798887494'
const HASH_MATCH = 'd678acf433ad14ac48b28c315f6c341e41c0fb12'

type Level = [price: string, size: string]

function book(overrides: Record<string, unknown> = {}, bids: Level[] = BIDS, asks: Level[] = ASKS) {
  const levels = (side: Level[]) => side.map(([price, size]) => ({ price, size }))
  return {
    market: MARKET,
    asset_id: Y,
    timestamp: String(START),
    hash: HASH_1,
    bids: levels(bids),
    asks: levels(asks),
    tick_size: '0.01',
    event_type: 'book',
    last_trade_price: '0.420',
    ...overrides
  }
}
const BIDS: Level[] = [
  ['0.4', '100'],
  ['0.41', '50.5']
]
const ASKS: Level[] = [
  ['0.45', '200'],
  ['0.43', '30']
]

let serial = 0
function element(overrides: Record<string, unknown> = {}) {
  const hash = (++serial).toString(16).padStart(8, '0').padEnd(40, '0')
  return {
    asset_id: Y,
    price: '0.42',
    size: '25',
    side: 'BUY',
    hash,
    // Not told, since these changes are made up: what is told is compared.
    best_bid: '',
    best_ask: '',
    ...overrides
  }
}

function changes(elements: unknown[], afterMs = 1, overrides: Record<string, unknown> = {}) {
  return {
    market: MARKET,
    price_changes: elements,
    timestamp: String(START + afterMs),
    event_type: 'price_change',
    ...overrides
  }
}

function frame(value: unknown): Buffer {
  return Buffer.from(typeof value === 'string' ? value : JSON.stringify(value))
}

interface Setup {
  useScanner?: boolean
  autoFollow?: boolean
  levels?: number
}

function setUp({ useScanner = true, autoFollow = false, levels = 100_000 }: Setup = {}) {
  const table = new BookTable({ capacityMarkets: 40, capacityLevels: levels })
  const corrupt: string[] = []
  const hints: Hint[] = []
  const refused: string[] = []
  const clock = { steadyMs: 0 }
  const books = new PolymarketBooks({
    table,
    autoFollow,
    useScanner,
    steadyNow: () => clock.steadyMs,
    onCorrupt: (assetId, _slot, reason) => corrupt.push(`${assetId === Y ? 'Y' : assetId} ${reason}`),
    onHint: (hint) => hints.push(hint),
    onRefused: (reason) => refused.push(reason)
  })
  const slot = autoFollow ? 0 : table.allocate()
  if (!autoFollow) books.follow(Y, slot, N)
  const send = (value: unknown, atMs = 5) => books.apply(frame(value), atMs)
  const view = () => {
    const { bids, asks } = getDepth(table.arena, slot, MAX_LEVELS)
    return {
      bids: bids.map(({ price, size }) => `${price} x ${size}`),
      asks: asks.map(({ price, size }) => `${price} x ${size}`)
    }
  }
  const verdict = () => table.verdicts.get(slot)
  /** Frames that were left out whole, and elements of frames that were applied in part, by reason. */
  const ignored = () => {
    const counts: Record<string, number> = Object.fromEntries(books.counters.ignored)
    for (const [reading, count] of books.counters.seen) {
      const reason = /^element_(.*)$/.exec(reading)?.[1]
      if (reason !== undefined) counts[reason] = (counts[reason] ?? 0) + count
    }
    return counts
  }
  return { table, books, clock, slot, send, view, verdict, ignored, corrupt, hints, refused }
}

const restBook = (value: unknown) => parseRestBook(value) as ParsedBook
const START_VIEW = { bids: ['0.41 x 50.5', '0.4 x 100'], asks: ['0.43 x 30', '0.45 x 200'] }

for (const useScanner of [true, false]) {
  t.test(useScanner ? 'with the byte scanner' : 'on the generic path', async (t) => {
    t.test(
      'takes a snapshot in any order of levels, in an array or alone, with any white space',
      async (t) => {
        const forms: unknown[] = [
          [book()],
          book(),
          book({}, [...BIDS].reverse(), [...ASKS].reverse()),
          [book(), book({ asset_id: N })],
          JSON.stringify([book()], null, '\t\r\n'),
          ` ${JSON.stringify(book()).replaceAll(',', ' , ')} `
        ]
        for (const form of forms) {
          const { send, view, verdict, books } = setUp({ useScanner })
          t.equal(verdict().reason, 'awaiting_snapshot')
          send(form, 77)
          t.same(view(), START_VIEW)
          t.match(verdict(), {
            state: 'live',
            source: 'websocket',
            venueTimeMs: START,
            receivedAtMs: 77,
            sequence: null
          })
          t.equal(books.counters.applied, 1)
        }
      }
    )

    t.test('sets absolute sizes, element by element, and leaves the complement out', async (t) => {
      const { send, view, books, ignored, verdict } = setUp({ useScanner })
      send(book())
      send(changes([element(), element({ asset_id: N, price: '0.58', side: 'SELL' })], 7))
      t.same(view(), { ...START_VIEW, bids: ['0.42 x 25', ...START_VIEW.bids] })
      send(changes([element({ size: '0' }), element({ side: 'SELL', price: '0.43', size: '0.000001' })], 8))
      t.same(view(), { bids: START_VIEW.bids, asks: ['0.43 x 0.000001', '0.45 x 200'] })
      t.equal(books.counters.applied, 3, 'frames, not elements')
      t.same(ignored(), {}, 'the complement comes with every change')
      t.equal(verdict().venueTimeMs, START + 8)
    })

    t.test('counts the removal of a level that is not there', async (t) => {
      const { send, view, books } = setUp({ useScanner })
      send(book())
      send(changes([element({ size: '0', price: '0.3' })]))
      t.same(view(), START_VIEW)
      t.equal(books.counters.seen.get('removal_of_no_level'), 1)
    })

    t.test('applies nothing to a book without a snapshot, nor to one that nobody follows', async (t) => {
      const { send, view, ignored } = setUp({ useScanner })
      send(changes([element(), element({ asset_id: '123' })]))
      t.same(view(), { bids: [], asks: [] })
      send(changes([element({ asset_id: '123' })]))
      t.same(ignored(), { awaiting_snapshot: 1, unknown_market: 1 })
    })

    t.test('marks only the book whose element drifts, and applies its neighbours', async (t) => {
      const bad: Record<string, unknown>[] = [
        { price: '0.42001' },
        { price: '1.0001' },
        { price: '-0.1' },
        { price: 0.42 },
        { price: '' },
        { size: '1.0000001' },
        { size: '-1' },
        { size: 'NaN' },
        { size: '1e3' },
        { size: undefined },
        { side: 'buy' },
        { side: undefined },
        { price: undefined }
      ]
      for (const one of bad) {
        const { send, view, verdict, corrupt, ignored, refused } = setUp({ useScanner })
        send(book())
        send(changes([element(one), element({ price: '0.39', size: '1' })]))
        t.same(view().bids, [...START_VIEW.bids, '0.39 x 1'], JSON.stringify(one))
        t.match(verdict(), { state: 'suspect', reason: 'drift' })
        t.same(corrupt, ['Y drift'])
        t.same(ignored(), { drift: 1 })
        t.same(refused, ['drift'])
        send(book())
        t.equal(verdict().state, 'live', 'a snapshot answers it')
      }
      const missingTime = setUp({ useScanner })
      missingTime.send(book())
      missingTime.send(changes([element()], 1, { timestamp: undefined }))
      t.equal(missingTime.verdict().reason, 'drift')
    })

    t.test('keeps a book whose new snapshot drifts, flagged', async (t) => {
      const bad = [
        book({ bids: undefined }),
        book({}, [['0.40001', '1']]),
        book({}, [['0.4', '-1']]),
        book({}, [
          ['0.4', '1'],
          ['0.40', '2']
        ]),
        book({ timestamp: '17x' }),
        book({ asks: [{ price: '0.5' }] }),
        book({ asks: ['x'] })
      ]
      for (const one of bad) {
        const { send, view, verdict } = setUp({ useScanner })
        send(book())
        send(one)
        t.same(view(), START_VIEW, JSON.stringify(one))
        t.equal(verdict().reason, 'drift')
      }
    })

    t.test('counts what is no JSON, what is malformed and what nobody knows', async (t) => {
      const { send, ignored, refused, view } = setUp({ useScanner })
      send(book())
      for (const text of ['PONG', 'NO NEW ASSETS', '', '"PONG"', 'null', '17', 'INVALID OPERATION'])
        send(text)
      for (const text of ['{', '[{]', '{"a":1}', '[1,null,[]]', JSON.stringify(book()).slice(0, -3)])
        send(text)
      send({ event_type: 'something_new', asset_id: Y })
      send({ event_type: 'best_bid_ask', asset_id: Y })
      send({ event_type: 'last_trade_price', asset_id: Y })
      send({ event_type: 'book' })
      send({ event_type: 'price_change', price_changes: [null, 7, {}] })
      t.same(ignored(), {
        text: 7,
        malformed: 7,
        unknown_event_type: 1,
        best_bid_ask: 1,
        last_trade_price: 1
      })
      t.same([...new Set(refused)], ['malformed', 'unknown_event_type'])
      t.same(view(), START_VIEW)
    })

    t.test('does not let a bad element discard the others', async (t) => {
      const { send, view, ignored } = setUp({ useScanner })
      send([
        { event_type: 'book', asset_id: N, bids: 7 },
        'x',
        { event_type: 'new' },
        book(),
        changes([element()])
      ])
      t.same(view().bids[0], '0.42 x 25')
      send(['x', { event_type: 'new' }])
      t.same(ignored(), { malformed: 2 }, 'once for each frame, by its first reason')
    })

    t.test('holds a match back until the book is whole', async (t) => {
      const { table, send, view, slot, verdict, books } = setUp({ useScanner })
      const crossedWhileLive: boolean[] = []
      table.onTouch = () => crossedWhileLive.push(table.arena.crossed(slot))
      send(book())
      const touches = crossedWhileLive.length
      send(
        changes(
          [element({ price: '0.42', size: '25', hash: '5a4bd5f439989ca393a6a9e9d7f2da1a5b946182' })],
          731
        )
      )
      t.equal(crossedWhileLive.length, touches + 1)
      // A taker buys 40 up to 0.44, 30 rest at 0.43: the remainder first, then the consumed level.
      send(changes([element({ price: '0.44', size: '10', hash: HASH_MATCH })], 2204), 60)
      t.same(view(), { ...START_VIEW, bids: ['0.42 x 25', ...START_VIEW.bids] }, 'the book before the match')
      t.match(verdict(), { state: 'live', venueTimeMs: START + 731 })
      t.equal(crossedWhileLive.length, touches + 1, 'nobody was told')
      send(changes([element({ price: '0.43', size: '0', side: 'SELL', hash: HASH_MATCH })], 2204), 61)
      t.same(view(), { bids: ['0.44 x 10', '0.42 x 25', ...START_VIEW.bids], asks: ['0.45 x 200'] })
      t.match(verdict(), { state: 'live', venueTimeMs: START + 2204, receivedAtMs: 61 })
      t.equal(
        hashOf(table, slot, YES, { timestamp: String(START + 2204), lastTradePrice: '0.430' }),
        HASH_MATCH
      )
      t.equal(
        hashOf(table, slot, NO, { assetId: N, timestamp: String(START + 2204), lastTradePrice: '0.430' }),
        '294d4e2fe14ea22da5465e3d2ea8f6b94e1e9ebd'
      )
      t.notOk(crossedWhileLive.includes(true))
      t.equal(books.counters.applied, 4)
    })

    t.test('holds a match that sweeps many levels, in one frame or in several', async (t) => {
      const hash = 'ab'.repeat(20)
      const sweep = [
        element({ price: '0.46', size: '5', hash }),
        element({ price: '0.43', size: '0', side: 'SELL', hash }),
        element({ price: '0.45', size: '0', side: 'SELL', hash })
      ]
      for (const frames of [[sweep], sweep.map((one) => [one])]) {
        const { send, view, verdict, slot, table } = setUp({ useScanner })
        table.onTouch = () => t.notOk(table.arena.crossed(slot))
        send(book())
        for (const elements of frames) {
          send(changes(elements, 9))
          t.notOk(table.arena.crossed(slot))
        }
        t.same(view(), { bids: ['0.46 x 5', ...START_VIEW.bids], asks: [] })
        t.equal(verdict().state, 'live')
      }
    })

    t.test('calls a book crossed when the group ended and it still is', async (t) => {
      const crossing = changes([element({ price: '0.44', size: '10', hash: HASH_MATCH })], 10)
      const nextHash = changes([element({ price: '0.1', size: '1' })], 10)
      const nextTime = changes([element({ price: '0.1', size: '1', hash: HASH_MATCH })], 11)
      for (const next of [nextHash, nextTime, null]) {
        const { send, view, verdict, corrupt, books, clock } = setUp({ useScanner })
        send(book())
        clock.steadyMs = 50
        send(crossing, 1_000)
        books.settle(149)
        t.equal(verdict().state, 'live', 'the group may still go on, whatever the wall clock says')
        if (next === null) books.settle(150)
        else send(next, 1_001)
        t.match(verdict(), { state: 'suspect', reason: 'crossed' })
        t.same(corrupt, ['Y crossed'])
        t.same(view().bids.slice(0, 1), ['0.44 x 10'])
        // A crossed book has nothing left to protect; only a whole one makes it good.
        send(changes([element({ price: '0.43', size: '0', side: 'SELL' })], 12), 1_200)
        t.equal(verdict().reason, 'crossed')
        send(book())
        t.equal(verdict().state, 'live')
      }
    })

    t.test('lets the book that follows a match replace what is held', async (t) => {
      const { send, view, books, verdict } = setUp({ useScanner })
      send(book())
      send(changes([element({ price: '0.44', size: '10', hash: HASH_MATCH })], 10))
      send(book({ timestamp: String(START + 10), hash: HASH_MATCH }, [['0.44', '10']], [['0.45', '200']]))
      books.settle()
      t.same(view(), { bids: ['0.44 x 10'], asks: ['0.45 x 200'] })
      t.equal(verdict().state, 'live')
    })

    t.test('flags a snapshot that is crossed by itself', async (t) => {
      const { send, verdict, corrupt } = setUp({ useScanner })
      send(book({}, [['0.5', '1']], [['0.5', '1']]))
      t.equal(verdict().reason, 'crossed')
      t.same(corrupt, ['Y crossed'])
    })

    t.test('waits for a book that fits when there is no room, and builds on no part of one', async (t) => {
      const many = Array.from({ length: 9 }, (_, i): Level => [`0.${10 + i}`, '1'])
      const added = many.map(([price]) => element({ price, size: '1', side: 'BUY' }))
      const match = ['0.44', '0.46', ...many.map(([price]) => price)].map((price) =>
        element({ price, size: '1', hash: HASH_MATCH })
      )
      const mirrored = many.map(([price]): Level => [`0.9${price.slice(3)}`, '1'])
      const full: [form: string, value: unknown][] = [
        ['a whole book', book({}, [['0.2', '7']], mirrored)],
        ['a change', changes(added)],
        ['a match', changes(match)]
      ]
      for (const [form, value] of full) {
        const { send, verdict, ignored, corrupt, view, books } = setUp({ useScanner, levels: 16 })
        send(book())
        t.equal(verdict().state, 'live')
        send(value)
        books.settle()
        t.match(verdict(), { state: 'syncing', reason: 'arena_full' }, form)
        t.same(corrupt, ['Y arena_full'])
        t.equal(ignored().arena_full, 1)
        const left = view()
        if (form === 'a whole book') t.same(left, { bids: [], asks: [] }, 'nothing of half a book')
        send(changes([element({ price: '0.01' })], 100))
        t.same(view(), left)
        t.equal(books.seed(restBook(book({ timestamp: String(START + 200) }, many, [])), 9, true), 'refused')
        t.same(corrupt, ['Y arena_full'], 'who reads over REST asks again by itself')
        send(book({ timestamp: String(START + 200) }))
        t.equal(verdict().state, 'live')
        t.same(view(), START_VIEW)
      }
    })

    t.test('leaves it to the reader to ask again for a REST book that is crossed', async (t) => {
      const { send, books, verdict, corrupt } = setUp({ useScanner })
      send(book())
      const crossed = book({ timestamp: String(START + 9) }, [['0.5', '1']], [['0.5', '1']])
      t.equal(books.seed(restBook(crossed), 9, true), 'refused')
      t.equal(verdict().reason, 'crossed')
      t.same(corrupt, [])
      t.equal(books.seed(restBook(book({ timestamp: String(START + 10) })), 9, true), 'taken')
      t.equal(verdict().state, 'live')
    })

    t.test('does not take a snapshot that lacks what was told before it', async (t) => {
      const { send, verdict, ignored, corrupt, books, view } = setUp({ useScanner })
      send(changes([element()], 50))
      send(book())
      t.equal(verdict().reason, 'awaiting_snapshot')
      t.same(ignored(), { awaiting_snapshot: 1, snapshot_behind: 1 })
      t.same(corrupt, ['Y snapshot_behind'])
      t.equal(books.seed(restBook(book({ timestamp: String(START + 51) })), 9, true), 'taken')
      t.equal(verdict().state, 'live')
      t.same(view(), START_VIEW)
    })

    t.test('takes the snapshot that answers a new subscription, whatever an earlier one told', async (t) => {
      const { send, books, slot, verdict, view } = setUp({ useScanner })
      send(book())
      send(changes([element()], 50))
      books.awaitSnapshot(slot)
      send(book({ timestamp: String(START + 50), hash: 'f'.repeat(40) }))
      t.equal(verdict().state, 'live')
      t.same(view(), START_VIEW)
    })

    t.test(
      'takes a REST book of the same time after the tick size changed, which is in the hash',
      async (t) => {
        const { send, books } = setUp({ useScanner })
        const seed = () => books.seed(restBook(book({ hash: 'f'.repeat(40) })), 9, true)
        send(book())
        t.equal(seed(), 'older')
        send({ event_type: 'tick_size_change', asset_id: Y, market: MARKET, new_tick_size: '0.001' })
        t.equal(seed(), 'taken')
      }
    )

    t.test('drops a REST book that the stream has overtaken', async (t) => {
      const { send, books, view } = setUp({ useScanner })
      const last = element()
      send(book())
      send(changes([last], 50))
      const rest = (afterMs: number, hash: string) =>
        books.seed(restBook(book({ timestamp: String(START + afterMs), hash }, [['0.2', '1']], [])), 9, true)
      t.equal(rest(49, HASH_1), 'older')
      t.equal(rest(50, HASH_1), 'older', 'another state of the same millisecond')
      t.equal(view().bids[0], '0.42 x 25')
      t.equal(rest(50, last.hash), 'taken')
      t.equal(rest(60, HASH_1), 'taken')
      // What the stream still tells of before is in the REST book already; of the same millisecond it is applied.
      send(changes([element({ price: '0.3' })], 59))
      t.same(view().bids, ['0.2 x 1'])
      send(book({ timestamp: String(START + 59) }))
      t.same(view().bids, ['0.2 x 1'])
      send(changes([element({ price: '0.3' })], 60))
      t.same(view().bids, ['0.3 x 25', '0.2 x 1'])
      t.equal(books.counters.ignored.get('before_snapshot'), 2)
    })

    for (const [what, backMs, laterMs] of [
      ['and a clock put back behind the stream ends that at once', 5_000, 0],
      ['and a clock put back by less ends it within two seconds', 100, 2_000]
    ] as const)
      t.test(`a REST book holds what the stream tells of before, ${what}`, async (t) => {
        const { send, books, view, clock } = setUp({ useScanner })
        send(book())
        send(changes([element()], 6_000))
        t.equal(
          books.seed(restBook(book({ timestamp: String(START + 6_050) }, [['0.2', '1']], [])), 9, true),
          'taken'
        )
        send(changes([element({ price: '0.3' })], 6_010))
        t.same(view().bids, ['0.2 x 1'])
        clock.steadyMs += laterMs
        send(changes([element({ price: '0.35' })], 6_049 - backMs))
        t.same(view().bids, ['0.35 x 25', '0.2 x 1'])
        send(changes([element({ price: '0.36' })], 6_060 - backMs))
        t.equal(view().bids[0], '0.36 x 25', 'and it stays over')
      })

    t.test('shows a REST book as last known levels until the stream has its own', async (t) => {
      const { send, books, view, verdict } = setUp({ useScanner })
      t.equal(books.seed(restBook(book()), 9, false), 'taken')
      t.same(view(), START_VIEW)
      t.match(verdict(), { state: 'syncing', reason: 'awaiting_snapshot', source: 'poll', receivedAtMs: 9 })
      send(book())
      t.match(verdict(), { state: 'live', source: 'websocket' })
      t.equal(
        books.seed(restBook(book({}, [], [])), 9, false),
        'older',
        'a preview never replaces a live book'
      )
      t.equal(books.seed(restBook(book({ asset_id: N })), 9, true), 'unknown')
    })

    t.test('keeps the last levels while a new subscription waits', async (t) => {
      const { send, books, slot, view, verdict } = setUp({ useScanner })
      send(book())
      books.awaitSnapshot(slot)
      t.match(verdict(), { state: 'syncing', reason: 'awaiting_snapshot' })
      send(changes([element()]))
      t.same(view(), START_VIEW)
    })

    t.test('passes on what concerns the market and changes nothing itself', async (t) => {
      const { send, hints, slot, ignored } = setUp({ useScanner })
      send({
        event_type: 'tick_size_change',
        asset_id: N,
        market: MARKET,
        old_tick_size: '0.01',
        new_tick_size: '0.0010'
      })
      send({ event_type: 'tick_size_change', asset_id: '5', market: MARKET, new_tick_size: '0.001' })
      send({ event_type: 'tick_size_change', asset_id: Y, market: MARKET, new_tick_size: '0' })
      send({ event_type: 'new_market', market: MARKET, assets_ids: [Y, N] })
      send({ event_type: 'market_resolved', market: MARKET })
      send({ event_type: 'market_resolved', market: 'x' })
      t.same(hints, [
        { kind: 'tick_size', slot, tickSize: '0.001' },
        { kind: 'new_market', conditionId: MARKET },
        { kind: 'market_resolved', conditionId: MARKET }
      ])
      t.same(ignored(), {
        tick_size_change: 1,
        new_market: 1,
        market_resolved: 1,
        unknown_market: 1,
        malformed: 2
      })
    })

    t.test('reads the two historic shapes of a change and counts them', async (t) => {
      const { send, view, books } = setUp({ useScanner })
      send(book())
      const { price, size, side, hash } = element()
      const old = {
        asset_id: Y,
        market: MARKET,
        hash,
        timestamp: String(START + 1),
        event_type: 'price_change'
      }
      send({ ...old, price, size, side })
      send({
        ...old,
        changes: [
          { price: '0.39', size: '2', side: 'BUY' },
          { price: '0.43', size: '0', side: 'SELL' }
        ]
      })
      t.same(view(), { bids: ['0.42 x 25', ...START_VIEW.bids, '0.39 x 2'], asks: ['0.45 x 200'] })
      t.same(Object.fromEntries(books.counters.seen), {
        price_change_of_2024_08: 1,
        price_change_of_2024_09: 1
      })
    })

    t.test('reads what JSON reads where keys occur twice or where they do not belong', async (t) => {
      const { send, view, verdict } = setUp({ useScanner })
      send(book())
      const one = JSON.stringify(element())
      const rest = `"timestamp":"${START + 1}","event_type":"price_change"`
      send(
        `{"price_changes":[${JSON.stringify(element({ price: '0.1' }))}],"price_changes":[${one}],${rest}}`
      )
      t.same(view().bids, ['0.42 x 25', ...START_VIEW.bids], 'the last one counts')
      send(`{"price_changes":[${one.replace('"25"', '"26"')}],"asset_id":"1","hash":"2",${rest}}`)
      t.same(view().bids, ['0.42 x 26', ...START_VIEW.bids])
      send(`{"price_changes":[${one.replace('"size":"25"', '"size":"25","size":"27"')}],${rest}}`)
      t.same(view().bids, ['0.42 x 27', ...START_VIEW.bids])
      send(`{"price_changes":[${one}],"\\u0074imestamp":"${START + 5}",${rest}}`)
      t.match(verdict(), { state: 'live', venueTimeMs: START + 1 })
    })

    t.test('no longer applies what is not followed any more', async (t) => {
      const { send, books, ignored, slot } = setUp({ useScanner })
      send(book())
      t.equal(books.slotOf(Y), slot)
      t.same([...books.followed()], [[Y, slot]])
      books.unfollow(Y, N)
      send(changes([element(), element({ asset_id: N })]))
      t.same(ignored(), { unknown_market: 1 })
      t.equal(books.slotOf(Y), undefined)
    })

    t.test('gives each asset of a recording its own book at its first snapshot', async (t) => {
      const { send, books, table } = setUp({ useScanner, autoFollow: true })
      send(changes([element()]))
      send([book(), book({ asset_id: N }, [['0.57', '30']], [['0.6', '100']])])
      send(changes([element(), element({ asset_id: N, price: '0.58', side: 'SELL' })], 3))
      t.same(
        [...books.followed()],
        [
          [Y, 0],
          [N, 1]
        ]
      )
      t.same(getDepth(table.arena, 1, 1).asks, [{ price: '0.58', size: '25' }])
      books.settle()
      t.equal(books.counters.applied, 2, 'frames, not elements')
      t.equal(table.verdicts.state(0), 'live')
    })

    t.test('the captures', withCaptures, async (t) => {
      t.test('a session gives the books that its frames say, and every hash matches', async (t) => {
        const lines = readFileSync(`${CAPTURES}/market_btc_updown_5m_2026-08-16.jsonl`, 'utf8')
          .trim()
          .split('\n')
        const messages: (WireBook | WirePriceChanges)[] = lines.map((line) => JSON.parse(line).msg)
        const { table, books } = setUp({ useScanner, autoFollow: true })
        const naive = new Map<string, NaiveBook>()
        const [first] = messages as WireBook[]
        const complement = setUp({ useScanner, autoFollow: true })
        let hashes = 0
        for (const message of messages) {
          books.apply(frame(message), 1)
          complement.books.apply(frame(message), 1)
          applyNaively(naive, message)
          const elements: { asset_id: string; hash: string }[] =
            message.event_type === 'price_change'
              ? (message as WirePriceChanges).price_changes
              : [message as WireBook]
          for (const { asset_id: assetId, hash } of elements) {
            const inputs: HashInputs = {
              market: message.market,
              assetId,
              timestamp: message.timestamp,
              minOrderSize: '5',
              tickSize: '0.01',
              negRisk: false,
              lastTradePrice: (first as WireBook).last_trade_price as string
            }
            const own = books.slotOf(assetId) as number
            t.equal(bookHash(table.arena, own, YES, inputs), hash)
            if (naive.size < 2) continue
            // One book proves both: the other token's, mirrored, has the same hash.
            t.equal(bookHash(table.arena, 1 - own, NO, inputs), hash)
            hashes++
          }
        }
        t.equal(hashes, 143)
        for (const [assetId, slot] of books.followed())
          t.same(getDepth(table.arena, slot, MAX_LEVELS), viewNaively(naive.get(assetId)))
        t.equal(books.counters.applied, lines.length)
        t.same([...books.counters.ignored], [])
      })

      t.test('a dump of many books is applied, and its hashes match', async (t) => {
        const dump: WireBook[] = JSON.parse(
          readFileSync(`${CAPTURES}/initial_dump_excerpt_2026-09-24.json`, 'utf8')
        )
        const { table, books, send } = setUp({ useScanner, autoFollow: true })
        send(dump)
        t.equal(books.counters.applied, 1)
        for (const one of dump) {
          const slot = books.slotOf(one.asset_id) as number
          const naive = new Map<string, NaiveBook>()
          applyNaively(naive, one)
          t.same(getDepth(table.arena, slot, MAX_LEVELS), viewNaively(naive.get(one.asset_id)))
          const hashes = [false, true].map((negRisk) =>
            bookHash(table.arena, slot, YES, {
              market: one.market,
              assetId: one.asset_id,
              timestamp: one.timestamp,
              minOrderSize: '5',
              tickSize: one.tick_size as string,
              negRisk,
              lastTradePrice: one.last_trade_price as string
            })
          )
          t.ok(
            hashes.includes(one.hash),
            'with the market being neg-risk or not, which the wire does not say'
          )
        }
      })

      t.test('every other frame is understood', async (t) => {
        const { books, refused } = setUp({ useScanner, autoFollow: true })
        let frames = 0
        const feed = (text: string) => {
          frames++
          books.apply(Buffer.from(text), 1)
        }
        const linesOf = (name: string) => readFileSync(`${CAPTURES}/${name}`, 'utf8').trim().split('\n')
        for (const line of linesOf('market_frames_verbatim_2026-09-24.jsonl')) feed(JSON.parse(line).text)
        for (const line of linesOf('last_trade_price_2026-08-16.jsonl'))
          feed(JSON.stringify(JSON.parse(line).msg))
        for (const line of linesOf('bbo_and_trade_2026-08-14.jsonl')) feed(line)
        const examples = readdirSync(`${CAPTURES}/small_examples`)
        for (const name of examples) feed(readFileSync(`${CAPTURES}/small_examples/${name}`, 'utf8'))
        t.ok(frames > 20)
        t.same(refused, [])
        t.notMatch(Object.fromEntries(books.counters.ignored), { malformed: Number })
      })
    })
  })
}

t.test('the hash of a book', async (t) => {
  const { table, slot, send } = setUp()
  send(book())
  t.equal(hashOf(table, slot, YES, {}), HASH_1)
  t.equal(hashOf(table, slot, NO, { assetId: N }), '27d9561c437a174535cef4988c4c1be3a967a826', 'the mirror')
  send(changes([element()], 731))
  t.equal(
    hashOf(table, slot, YES, { timestamp: String(START + 731) }),
    '5a4bd5f439989ca393a6a9e9d7f2da1a5b946182'
  )
  t.equal(
    hashOf(table, slot, NO, { assetId: N, timestamp: String(START + 731) }),
    '41df84bc6ecf01c2209584def672ff5646ea6f61'
  )
  send(book({}, [['0.001', '12.5']], []))
  const second = { timestamp: '1795000009000', tickSize: '0.001', negRisk: true, lastTradePrice: '' }
  t.equal(hashOf(table, slot, YES, second), 'abf5eb3328ffac2be6101df2c3520af8f6c987c8')
})

t.test('any stream gives the same books with the scanner, without it, and worked out naively', async () => {
  const price = fc
    .integer({ min: 1, max: 99 })
    .map((cents) => `0.${String(cents).padStart(2, '0').replace(/0$/, '')}`)
  const size = fc.oneof(
    fc.constant('0'),
    fc.integer({ min: 1, max: 1e9 }).map((n) => String(n / 1_000))
  )
  const level = fc.tuple(price, size)
  const wireElement = fc.record({
    asset_id: fc.constantFrom(Y, N, 'other'),
    price: fc.oneof(
      { weight: 30, arbitrary: price },
      { weight: 1, arbitrary: fc.constantFrom('2', 'x', '0.00001', '') }
    ),
    size: fc.oneof(
      { weight: 30, arbitrary: size },
      { weight: 1, arbitrary: fc.constantFrom('-1', '0.0000001') }
    ),
    side: fc.constantFrom('BUY', 'SELL'),
    hash: fc.constantFrom('a'.repeat(40), 'b'.repeat(40), 'none')
  })
  const message = fc.oneof(
    {
      weight: 1,
      arbitrary: fc.tuple(
        fc.uniqueArray(level, { selector: ([p]) => p }),
        fc.uniqueArray(level, { selector: ([p]) => p })
      )
    },
    { weight: 6, arbitrary: fc.array(wireElement, { maxLength: 4 }) }
  )
  const stream = fc.array(fc.tuple(message, fc.nat({ max: 1 }), fc.nat()), { maxLength: 40 })
  fc.assert(
    fc.property(stream, (steps) => {
      const fast = setUp()
      const slow = setUp({ useScanner: false })
      const naive = new Map<string, NaiveBook>()
      for (const one of [fast, slow]) one.table.onTouch = () => assertUncrossedWhileLive(one.table, one.slot)
      let atMs = 0
      for (const [content, stepMs, seed] of steps) {
        atMs += stepMs
        const isBook = content.length === 2 && Array.isArray(content[0]) && Array.isArray(content[0][0] ?? [])
        const wire = isBook
          ? book({ timestamp: String(START + atMs) }, content[0] as Level[], content[1] as Level[])
          : changes(content as unknown[], atMs)
        const text = JSON.stringify(shuffleKeys(wire, seed), null, seed % 3)
        fast.send(text)
        slow.send(text)
        applyNaively(naive, wire as WireBook | WirePriceChanges)
      }
      fast.books.settle()
      slow.books.settle()
      const { state } = fast.verdict()
      if (JSON.stringify(fast.view()) !== JSON.stringify(slow.view())) return false
      if (JSON.stringify(fast.ignored()) !== JSON.stringify(slow.ignored())) return false
      if (JSON.stringify(fast.verdict()) !== JSON.stringify(slow.verdict())) return false
      if (fast.books.counters.applied !== slow.books.counters.applied) return false
      // The naive model knows neither drift nor a first snapshot: it agrees where all was understood.
      if (state === 'syncing' || 'drift' in fast.ignored()) return true
      return (
        JSON.stringify(getDepth(fast.table.arena, fast.slot, MAX_LEVELS)) ===
        JSON.stringify(viewNaively(naive.get(Y)))
      )
    }),
    { numRuns: 400 }
  )
})

t.test('no bytes throw, whatever a frame is', async (t) => {
  const fast = setUp()
  const slow = setUp({ useScanner: false })
  const valid = frame([book()])
  const change = frame(changes([element(), element({ asset_id: N })]))
  const mutated = fc
    .tuple(
      fc.constantFrom(valid, change),
      fc.array(fc.tuple(fc.nat({ max: 700 }), fc.nat({ max: 255 })), { maxLength: 6 }),
      fc.nat({ max: 900 })
    )
    .map(([bytes, edits, length]) => {
      const copy = Buffer.from(bytes)
      for (const [at, byte] of edits) copy[at % copy.length] = byte
      return length % 5 === 0 ? copy.subarray(0, length) : copy
    })
  const anything = fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text)),
    fc.json().map((text) => Buffer.from(`[{"event_type":"price_change","price_changes":${text}}]`)),
    fc
      .json()
      .map((text) =>
        Buffer.from(`{"event_type":"book","asset_id":"${Y}","timestamp":"1","asks":[],"bids":${text}}`)
      ),
    mutated
  )
  // A stranger whose last digits are those of the complement is taken for it on the hot path.
  const seen = ({ view, ignored, verdict }: ReturnType<typeof setUp>) => {
    const { complement, unknown_market, ...rest } = ignored()
    return JSON.stringify([view(), rest, verdict()])
  }
  fc.assert(
    fc.property(anything, (bytes) => {
      fast.books.apply(bytes, 1)
      slow.books.apply(bytes, 1)
      return seen(fast) === seen(slow)
    }),
    { numRuns: 4_000 }
  )
  const deep = Buffer.from('['.repeat(200_000))
  t.doesNotThrow(() => fast.books.apply(deep, 1))
})

type NaiveBook = { bids: Map<string, string>; asks: Map<string, string> }

function applyNaively(books: Map<string, NaiveBook>, message: WireBook | WirePriceChanges): void {
  if ('price_changes' in message) {
    for (const { asset_id, price, size, side } of message.price_changes) {
      const found = books.get(asset_id)
      if (found === undefined) continue
      const levels = side === 'BUY' ? found.bids : found.asks
      if (size === '0') levels.delete(price)
      else levels.set(price, size)
    }
    return
  }
  const side = (levels: { price: string; size: string }[]) =>
    new Map(levels.filter(({ size }) => size !== '0').map(({ price, size }) => [price, size]))
  books.set(message.asset_id, { bids: side(message.bids), asks: side(message.asks) })
}

function viewNaively(naive: NaiveBook | undefined) {
  const side = (levels: Map<string, string>, direction: number) =>
    [...levels]
      .sort(([a], [b]) => direction * (Number(a) - Number(b)))
      .map(([price, size]) => ({ price, size }))
  return { bids: side(naive?.bids ?? new Map(), -1), asks: side(naive?.asks ?? new Map(), 1) }
}

function hashOf(
  table: BookTable,
  slot: number,
  outcome: typeof YES | typeof NO,
  inputs: Partial<HashInputs>
): string {
  return bookHash(table.arena, slot, outcome, {
    market: MARKET,
    assetId: Y,
    timestamp: String(START),
    minOrderSize: '5',
    tickSize: '0.01',
    negRisk: false,
    lastTradePrice: '0.420',
    ...inputs
  })
}

function assertUncrossedWhileLive(table: BookTable, slot: number): void {
  if (table.verdicts.state(slot) === 'live' && table.arena.crossed(slot))
    throw new Error('a crossed book is live')
}

/** The same object with its keys in another order, at every level. */
function shuffleKeys(value: unknown, seed: number): unknown {
  if (Array.isArray(value)) return value.map((one) => shuffleKeys(one, seed))
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).map(([key, one]): [string, unknown] => [key, shuffleKeys(one, seed)])
  const turn = seed % Math.max(1, entries.length)
  return Object.fromEntries([...entries.slice(turn), ...entries.slice(0, turn)])
}
