import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import fc from 'fast-check'
import t from 'tap'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { KalshiBooks, type KalshiBooksOptions } from '../../../services/kalshi/books.ts'
import { DeltaScanner } from '../../../services/kalshi/scan.ts'
import { getDepth } from '../../../services/orderbook/depth.ts'

const DATA = '../shared/data/kalshi/ws'
const A = 'KXDEMO-26DEC31-T50'
const B = 'KXDEMO-26DEC31-T60'

/** Books over a small table, with a note of everything that was called back. */
function open(options: Partial<KalshiBooksOptions> = {}, replay = false) {
  const table = new BookTable({ capacityMarkets: 8, capacityLevels: 4096 })
  const calls: unknown[][] = []
  const books = new KalshiBooks({
    table,
    onGap: (_, ...gap) => calls.push(['gap', ...gap]),
    onCorrupt: (slot, reason) => calls.push(['corrupt', slot, reason]),
    onControl: ({ type }) => calls.push(['control', type]),
    onRefused: (reason) => calls.push(['refused', reason]),
    onStray: (_, sid) => calls.push(['stray', sid]),
    ...options
  })
  const connection = books.connection({ startAnywhere: replay })
  const slots = new Map<string, number>()
  if (options.autoFollow !== true) {
    for (const ticker of [A, B]) {
      slots.set(ticker, table.allocate())
      books.follow(ticker, slots.get(ticker) as number)
    }
  }
  const slotOf = (ticker: string) => slots.get(ticker) ?? (new Map(books.followed()).get(ticker) as number)
  return {
    table,
    books,
    calls,
    connection,
    slotOf,
    send: (message: unknown, atMs = 1_000) =>
      books.apply(
        Buffer.from(typeof message === 'string' ? message : JSON.stringify(message)),
        atMs,
        connection
      ),
    depth: (ticker: string) => getDepth(table.arena, slotOf(ticker), 100),
    state: (ticker: string) => table.verdicts.get(slotOf(ticker))
  }
}

const snapshot = (seq: number, ticker: string, sides: object, sid = 1) => ({
  type: 'orderbook_snapshot',
  sid,
  seq,
  msg: { market_ticker: ticker, market_id: 'x', ...sides }
})
const delta = (seq: number, ticker: string, price: string, change: string, side = 'yes', sid = 1) => ({
  type: 'orderbook_delta',
  sid,
  seq,
  msg: {
    market_ticker: ticker,
    market_id: 'x',
    price_dollars: price,
    delta_fp: change,
    side,
    ts: '2026-11-20T12:00:00.123Z',
    ts_ms: 1_795_176_000_123
  }
})
const SIDES = {
  yes_dollars_fp: [
    ['0.4100', '120.00'],
    ['0.4200', '35.50']
  ],
  no_dollars_fp: [
    ['0.5500', '10.00'],
    ['0.5700', '200.25']
  ]
}
const DEPTH = {
  bids: [
    { price: '0.42', size: '35.5' },
    { price: '0.41', size: '120' }
  ],
  asks: [
    { price: '0.43', size: '200.25' },
    { price: '0.45', size: '10' }
  ]
}

t.test(
  'a snapshot makes the book live, in YES terms, and deltas change it by signed fractions',
  async (t) => {
    const { send, depth, state, books } = open()
    send(snapshot(1, A, SIDES), 5)
    t.same(depth(A), DEPTH)
    t.match(state(A), { state: 'live', reason: null, sequence: 1, venueTimeMs: null, receivedAtMs: 5 })
    send(delta(2, A, '0.4200', '-35.50'), 6)
    send(delta(3, A, '0.42', '0.050000'), 7)
    send(delta(4, A, '0.5700', '-0.25', 'no'), 8)
    t.same(depth(A).bids[0], { price: '0.42', size: '0.05' })
    t.same(depth(A).asks[0], { price: '0.43', size: '200' })
    t.match(state(A), { sequence: 4, venueTimeMs: 1_795_176_000_123, receivedAtMs: 8 })
    t.match(books.counters, { frames: 4, applied: 4 })
  }
)

t.test('every wire form gives the same book, whatever stands as number or text', async (t) => {
  const forms: [string, object, object][] = [
    ['fixed', SIDES, { price_dollars: '0.4100', delta_fp: '-20.00' }],
    [
      'dollars with numbers',
      {
        yes_dollars: [
          ['0.4100', 120],
          [0.42, 35.5]
        ],
        no_dollars: [
          ['0.55', '10'],
          ['0.5700', '200.25']
        ]
      },
      { price_dollars: 0.41, delta_fp: -20 }
    ],
    [
      'cents',
      {
        yes: [
          [41, 120],
          ['42', '35.5']
        ],
        no: [
          [55, 10],
          [57, 200.25]
        ]
      },
      { price: 41, delta: -20 }
    ],
    [
      'transition: the fixed form is read, not its neighbours',
      { ...SIDES, yes_dollars: [['0.9900', 1]], yes: [[99, 1]], no_dollars: [], no: null },
      { price: 99, price_dollars: '0.4100', delta: 7, delta_fp: '-20.00' }
    ]
  ]
  for (const [name, sides, change] of forms) {
    const { send, depth, state } = open()
    send(snapshot(1, A, sides))
    t.same(depth(A), DEPTH, name)
    send({ type: 'orderbook_delta', sid: 1, seq: 2, msg: { market_ticker: A, side: 'yes', ...change } })
    t.same(depth(A).bids[1], { price: '0.41', size: '100' }, name)
    t.match(state(A), { state: 'live', venueTimeMs: null }, name)
  }
})

t.test(
  'after a fall back from exact numbers to cents all books drift until exact numbers and fresh books come',
  async (t) => {
    const cents = { yes: [[41, 120]], no: [[57, 200]] }
    const cent = (seq: number, ticker: string) => ({
      type: 'orderbook_delta',
      sid: 1,
      seq,
      msg: { market_ticker: ticker, price: 41, delta: -20, side: 'yes' }
    })
    const reformed: number[] = []
    const { send, state, books, connection } = open({ onReformed: (_, sid) => reformed.push(sid) })
    send(snapshot(1, A, SIDES))
    send(snapshot(2, B, SIDES))
    send(delta(3, A, '0.4200', '1.00'))
    send(cent(4, A))
    t.same([state(A).reason, state(B).reason], ['drift', 'drift'], 'a change of B may have been left out')
    t.same(reformed, [1])
    send(snapshot(5, A, cents))
    send(snapshot(6, B, {}))
    send(cent(7, A))
    t.same(
      [state(A).reason, state(B).reason],
      ['drift', 'drift'],
      'nor does a book in cents or an empty one tell'
    )
    t.same(books.readableAgain(), [])
    send(delta(8, A, '0.4200', '1.00'))
    t.same(reformed, [1, 1])
    t.same(new Set(books.readableAgain()), new Set([0]), 'B needs a book that is understood first')
    t.same([state(A).reason, state(B).reason], ['drift', 'drift'])
    send(snapshot(9, A, SIDES))
    send(snapshot(10, B, SIDES))
    t.same([state(A).state, state(B).state], ['live', 'live'])

    send(snapshot(11, A, cents))
    t.same([state(A).reason, state(B).reason], ['drift', 'drift'], 'a book in cents tells of the change too')
    send(snapshot(12, B, SIDES))
    t.equal(state(B).reason, 'drift', 'changes were not read yet')
    send(delta(13, A, '0.4200', '1.00'))
    send(snapshot(14, A, SIDES))
    send(snapshot(15, B, SIDES))
    t.same([state(A).state, state(B).state], ['live', 'live'])

    books.adopt(connection)
    send(cent(16, A))
    t.equal(
      state(B).reason,
      'drift',
      'a connection that other books had counted is judged by what these know'
    )
  }
)

t.test('an absent, null or empty side is empty; a side under a new name is drift', async (t) => {
  for (const sides of [{}, { yes_dollars_fp: [], no_dollars_fp: null }, { yes: null }]) {
    const { send, depth, state } = open()
    send(snapshot(1, A, sides))
    t.same(depth(A), { bids: [], asks: [] })
    t.equal(state(A).state, 'live')
  }
  for (const sides of [
    { yes_levels: [] },
    { no_dollars_v2: [['0.1', '1']] },
    { yes_dollars_fp: [], no_x: 1 }
  ]) {
    const { send, state, calls, books } = open()
    send(snapshot(1, A, sides))
    t.match(state(A), { state: 'suspect', reason: 'drift' })
    t.same(calls, [
      ['corrupt', 0, 'drift'],
      ['refused', 'drift']
    ])
    t.equal(books.counters.ignored.get('drift'), 1)
  }
})

t.test(
  'a value that does not fit is drift on that market only, and the book keeps its last state',
  async (t) => {
    const wrong = [
      delta(3, A, '0.42001', '1.00'),
      delta(3, A, '0.4200', '1.0000001'),
      delta(3, A, '1.0001', '1.00'),
      delta(3, A, '-0.1', '1.00'),
      delta(3, A, '0.42', '1e3'),
      delta(3, A, '0.42', ''),
      delta(3, A, '0.42', '1.00', 'maybe'),
      {
        ...delta(3, A, '0.42', '1.00'),
        msg: { market_ticker: A, side: 'yes', price_dollars: '0.42', size: '1' }
      },
      snapshot(3, A, { yes_dollars_fp: [['0.42001', '1.00']] }),
      snapshot(3, A, { yes_dollars_fp: [['0.42', '-1.00']] }),
      snapshot(3, A, { yes_dollars_fp: [['0.42']] }),
      snapshot(3, A, {
        yes_dollars_fp: [
          ['0.42', '1'],
          ['0.420', '2']
        ]
      }),
      snapshot(3, A, { yes_dollars_fp: { 0.42: 1 } }),
      { ...delta(3, A, '0.42', '1.00'), seq: undefined }
    ]
    for (const message of wrong) {
      const { send, depth, state, calls, books } = open()
      send(snapshot(1, A, SIDES))
      send(snapshot(2, B, SIDES))
      send(message)
      t.match(state(A), { state: 'suspect', reason: 'drift' }, JSON.stringify(message))
      t.same(depth(A), DEPTH)
      t.equal(state(B).state, 'live')
      t.same(calls[0], ['corrupt', 0, 'drift'])
      let seq = message.seq === undefined ? 3 : 4
      if (message.type === 'orderbook_delta') {
        send(snapshot(seq++, A, SIDES))
        t.equal(state(A).reason, 'drift', 'changes cannot be read yet: the next would spoil this book too')
        t.same(depth(A), DEPTH)
        t.same(books.readableAgain(), [])
        send(delta(seq++, B, '0.4200', '1.00'))
        t.equal(state(A).reason, 'drift', 'a change of another market was read; the next snapshot counts')
        t.same(books.readableAgain(), [0], 'and is to be asked for')
        t.same(books.readableAgain(), [], 'once')
      }
      send(snapshot(seq, A, SIDES))
      t.equal(state(A).state, 'live', 'a snapshot mends it')
    }
  }
)

t.test('a book message that names no market makes every book of its subscription doubtful', async (t) => {
  const { send, state } = open()
  send(snapshot(1, A, SIDES))
  send(snapshot(1, B, SIDES, 2))
  send({
    type: 'orderbook_delta',
    sid: 1,
    seq: 2,
    msg: { ticker: A, price_dollars: '0.42', delta_fp: '1', side: 'yes' }
  })
  t.equal(state(A).reason, 'drift')
  t.equal(state(B).state, 'live')
})

t.test('a level below zero and a crossed book are raised on their market', async (t) => {
  const { send, state, calls, depth } = open()
  send(snapshot(1, A, SIDES))
  send(delta(2, A, '0.4200', '-35.51'))
  t.equal(state(A).reason, 'negative_level')
  t.same(depth(A), DEPTH, 'the book is left as it was')
  send(snapshot(3, A, SIDES))
  send(delta(4, A, '0.4300', '1.00'))
  t.match(state(A), { state: 'suspect', reason: 'crossed' })
  send(snapshot(5, A, { yes_dollars_fp: [['0.50', '1']], no_dollars_fp: [['0.50', '1']] }))
  t.equal(state(A).reason, 'crossed')
  t.same(
    calls.map(([, , reason]) => reason),
    ['negative_level', 'crossed', 'crossed']
  )
})

t.test('a doubtful book takes no delta until a snapshot mends it', async (t) => {
  const cross = { yes_dollars_fp: [['0.50', '1']], no_dollars_fp: [['0.50', '1']] }
  const spoils: [string, object][] = [
    ['drift', delta(2, A, '0.42001', '1.00')],
    ['negative_level', delta(2, A, '0.4200', '-35.51')],
    ['crossed', delta(2, A, '0.4300', '1.00')],
    ['crossed', snapshot(2, A, cross)],
    ['sequence_gap', delta(3, B, '0.4100', '1.00')]
  ]
  for (const [reason, message] of spoils) {
    const { send, state, depth, books } = open()
    send(snapshot(1, A, SIDES))
    send(message)
    t.equal(state(A).reason, reason)
    const before = depth(A)
    const waiting = books.counters.ignored.get('awaiting_snapshot') ?? 0
    const next = reason === 'sequence_gap' ? 4 : 3
    send(delta(next, A, '0.4100', '1.00'))
    t.same(depth(A), before, reason)
    t.equal(books.counters.ignored.get('awaiting_snapshot'), waiting + 1, reason)
    send(snapshot(next + 1, A, SIDES))
    send(delta(next + 2, A, '0.4100', '1.00'))
    t.equal(state(A).state, 'live')
    t.same(depth(A).bids[1], { price: '0.41', size: '121' })
  }
})

t.test('only a delta that leaves the best levels apart leaves its book live', async (t) => {
  const { send, state } = open()
  send(snapshot(1, A, SIDES))
  send(delta(2, A, '0.4250', '1.00'))
  send(delta(3, A, '0.4100', '1.00'))
  send(delta(4, A, '0.5740', '1.00', 'no'))
  t.equal(state(A).state, 'live')
  send(delta(5, A, '0.5750', '1.00', 'no'))
  t.equal(state(A).reason, 'crossed')
})

t.test('with use_yes_price NO prices come on the YES scale, and the same guard holds', async (t) => {
  const { send, depth, state } = open({ useYesPrice: true })
  send(
    snapshot(1, A, {
      ...SIDES,
      no_dollars_fp: [
        ['0.4300', '200.25'],
        ['0.4500', '10.00']
      ]
    })
  )
  t.same(depth(A), DEPTH)
  send(delta(2, A, '0.4300', '-0.25', 'no'))
  t.same(depth(A).asks[0], { price: '0.43', size: '200' })
  send(delta(3, A, '0.4200', '1', 'no'))
  t.equal(state(A).reason, 'crossed')
})

t.test('a snapshot that a change has overtaken is not taken for whole', async (t) => {
  const { send, state, depth, slotOf, calls } = open()
  send(snapshot(1, A, SIDES))
  send(delta(3, B, '0.4100', '5.00'))
  calls.length = 0
  send(snapshot(2, B, SIDES))
  t.equal(state(B).reason, 'sequence_gap')
  t.same(depth(B), { bids: [], asks: [] })
  t.same(calls.at(-1), ['corrupt', slotOf(B), 'sequence_gap'], 'and another one is asked for')
  send(snapshot(4, B, SIDES))
  t.equal(state(B).reason, null, 'what is numbered above all that came is whole')
})

t.test('two changes that change places are one gap, and the late one changes no book', async (t) => {
  const { send, state, calls, books, depth } = open()
  send(snapshot(1, A, SIDES))
  send(snapshot(2, B, SIDES))
  send(delta(4, A, '0.4100', '1.00'))
  t.equal(state(B).reason, 'sequence_gap')
  send(snapshot(5, A, SIDES))
  send(snapshot(6, B, SIDES))
  send(delta(3, B, '0.4100', '1.00'))
  t.same(depth(B), DEPTH, 'the snapshots hold it')
  send(delta(7, B, '0.4100', '1.00'))
  t.equal(calls.filter(([what]) => what === 'gap').length, 1)
  t.equal(books.counters.ignored.get('late'), 1)
  t.same([state(A).state, state(B).state], ['live', 'live'])
})

t.test('a change of a market that nobody asked for is a stray, one that was let go of is not', async (t) => {
  const { send, books, calls, state } = open()
  send(snapshot(1, A, SIDES))
  send(delta(2, 'KXNOSUCH', '0.4100', '1.00'))
  send({ ...delta(3, 'KXNOSUCH', '0.4100', '1.00'), extra: [] })
  t.equal(calls.filter(([what]) => what === 'stray').length, 2, 'read either way')
  books.unfollow(B)
  send(delta(4, B, '0.4100', '1.00'))
  t.equal(calls.filter(([what]) => what === 'stray').length, 2)
  t.equal(books.counters.ignored.get('unknown_market'), 3)
  t.equal(state(A).state, 'live', 'what is done about it is for the stream')
})

t.test('a gap makes all books of the sid doubtful at once, and is one gap', async (t) => {
  const { send, state, calls, books, depth } = open()
  send(snapshot(1, A, SIDES))
  send(snapshot(2, B, SIDES))
  send(delta(4, A, '0.4100', '1'))
  t.equal(state(A).reason, 'sequence_gap')
  t.equal(state(B).reason, 'sequence_gap')
  t.same(depth(A), DEPTH, 'the delta after the gap is not applied')
  send(delta(5, B, '0.4100', '1'))
  t.same(calls, [['gap', 1, 3, 4]])
  t.equal(books.counters.ignored.get('awaiting_snapshot'), 2)
  send(snapshot(6, A, SIDES))
  t.equal(state(A).state, 'live')
  t.equal(state(B).reason, 'sequence_gap')
  send(snapshot(9, B, SIDES))
  t.equal(state(B).state, 'live', 'a snapshot is applied even when the gap is before it')
  t.equal(state(A).reason, 'sequence_gap')
})

t.test(
  'numbers are shared by all message types of a sid; a duplicate is ignored, a lower one is a gap',
  async (t) => {
    const { send, state, calls, books, depth } = open()
    send({ type: 'subscribed', id: 1, msg: { channel: 'orderbook_delta', sid: 1 } })
    send(snapshot(1, A, SIDES))
    send({ type: 'ok', id: 2, sid: 1, seq: 2, msg: { market_tickers: [A] } })
    send({ type: 'something_new', sid: 1, seq: 3 })
    send({ type: 'error', sid: 1, seq: 4, msg: { code: 13, msg: 'Unsupported action' } })
    send(delta(5, A, '0.4100', '1'))
    send(delta(5, A, '0.4100', '1'))
    t.same(depth(A).bids[1], { price: '0.41', size: '121' })
    t.equal(state(A).state, 'live')
    t.same(Object.fromEntries(books.counters.ignored), {
      subscribed: 1,
      ok: 1,
      unknown_type: 1,
      error: 1,
      duplicate: 1
    })
    send(delta(2, A, '0.4100', '1'))
    t.same(calls.at(-1), ['gap', 1, 6, 2])
    send({ type: 'error', sid: 1, seq: 2, msg: { code: 25, msg: 'overflow' } })
    t.same(calls.at(-1), ['control', 'error'], 'an error is heard even if its number was seen')
  }
)

t.test(
  'deltas wait for the snapshot; unknown markets and markets no longer followed are counted',
  async (t) => {
    const { send, books, state, table } = open()
    send(delta(1, A, '0.4', '1'))
    send(delta(2, 'KXOTHER', '0.4', '1'))
    send(snapshot(3, 'KXOTHER', SIDES))
    send(snapshot(4, B, SIDES))
    books.unfollow(B)
    send(delta(5, B, '0.4', '1'))
    t.same(Object.fromEntries(books.counters.ignored), { awaiting_snapshot: 1, unknown_market: 3 })
    t.equal(state(A).reason, 'awaiting_snapshot')
    send(delta(9, A, '0.4', '1'))
    t.equal(table.verdicts.has(1, 'sequence_gap'), false, 'a gap does not reach a slot that was given back')
  }
)

t.test('a book that does not fit is not served as whole', async (t) => {
  const table = new BookTable({ capacityMarkets: 2, capacityLevels: 16 })
  const books = new KalshiBooks({ table, autoFollow: true })
  const connection = books.connection()
  const levels = (n: number) => Array.from({ length: n }, (_, i) => [`0.${10 + i}`, '1'])
  const apply = (message: object) => books.apply(Buffer.from(JSON.stringify(message)), 0, connection)
  apply(snapshot(1, A, { yes: [[1, 1]], no_dollars_fp: levels(30) }))
  t.equal(table.verdicts.reason(0), 'arena_full')
  apply(delta(2, A, '0.01', '1'))
  t.same(Object.fromEntries(books.counters.ignored), { arena_full: 1, awaiting_snapshot: 1 })
})

t.test('a replay may begin in the middle, follows what it sees, and runs on over a reconnect', async (t) => {
  const { send, calls, state, books } = open({ autoFollow: true }, true)
  send({ type: 'ok', id: 2, sid: 1, seq: 57, msg: {} })
  send(delta(58, A, '0.4', '1'))
  send(snapshot(59, A, SIDES))
  t.equal(state(A).state, 'live')
  send({ type: 'subscribed', id: 1, msg: { channel: 'orderbook_delta', sid: 1 } })
  send(snapshot(1, B, SIDES))
  t.equal(state(A).reason, 'awaiting_snapshot')
  t.equal(state(B).state, 'live')
  send({ type: 'subscribed', id: 1, msg: { channel: 'trade', sid: 2 } })
  send({ type: 'trade', sid: 2, seq: 3, msg: {} })
  t.same(
    calls.filter(([kind]) => kind === 'gap'),
    [['gap', 2, 1, 3]],
    'a sid that opened in the recording begins at 1'
  )
  t.equal(books.counters.ignored.get('awaiting_snapshot'), 1)
})

t.test('any sequence of deltas equals a naive model, by the scanner and without it', async () => {
  const change = fc.record({
    ticker: fc.constantFrom(A, B),
    price: fc.integer({ min: 1, max: 5_200 }),
    change: fc.integer({ min: -500, max: 1_000 }),
    side: fc.constantFrom('yes', 'no')
  })
  fc.assert(
    fc.property(
      fc.array(change, { maxLength: 60 }),
      fc.array(fc.nat(), { maxLength: 8 }),
      (changes, shuffle) => {
        const fast = open()
        const slow = open({ useScanner: false })
        const model = new Map<string, number>()
        const levels = (ticker: string, side: string) =>
          [...model]
            .filter(([key, size]) => key.startsWith(`${ticker} ${side} `) && size > 0)
            .map(([key, size]) => [Number(key.split(' ')[2]), size / 100] as const)
            .sort((a, b) => b[0] - a[0])
        let seq = 0
        const sendAll = (message: object, space = 0) => {
          for (const { send } of [fast, slow]) send(JSON.stringify(message, null, space))
        }
        const sendSnapshot = (ticker: string) => {
          const side = (name: string) => levels(ticker, name).map(([p, s]) => [String(p / 10_000), String(s)])
          sendAll(snapshot(++seq, ticker, { yes_dollars_fp: side('yes'), no_dollars_fp: side('no') }))
        }
        for (const ticker of [A, B]) sendSnapshot(ticker)
        for (const [index, one] of changes.entries()) {
          const key = `${one.ticker} ${one.side} ${one.price}`
          const before = model.get(key) ?? 0
          model.set(key, Math.max(before, before + one.change))
          const best = (side: string) => levels(one.ticker, side)[0]?.[0] ?? Number.NaN
          const isCrossed = best('yes') + best('no') >= 10_000
          const isNegative = before + one.change < 0
          model.set(key, isCrossed || isNegative ? before : before + one.change)
          const text = (one.change / 100).toFixed(2)
          const message = delta(++seq, one.ticker, (one.price / 10_000).toFixed(4), text, one.side)
          const keys = Object.entries(message).sort(() => ((shuffle[index % 8] ?? 0) % 3) - 1)
          sendAll(Object.fromEntries(keys), (shuffle[0] ?? 0) % 2)
          const reason = isNegative ? 'negative_level' : isCrossed ? 'crossed' : null
          assert.equal(fast.state(one.ticker).reason, reason)
          if (reason !== null) sendSnapshot(one.ticker)
        }
        for (const ticker of [A, B]) {
          const wanted = {
            bids: levels(ticker, 'yes').map(([p, s]) => ({ price: String(p / 10_000), size: String(s) })),
            asks: levels(ticker, 'no').map(([p, s]) => ({
              price: String((10_000 - p) / 10_000),
              size: String(s)
            }))
          }
          assert.deepEqual(fast.depth(ticker), wanted)
          assert.deepEqual(slow.depth(ticker), wanted)
          assert.deepEqual(fast.state(ticker), slow.state(ticker))
        }
        assert.deepEqual([...fast.books.counters.ignored], [...slow.books.counters.ignored])
        assert.deepEqual(fast.calls, slow.calls)
      }
    ),
    { numRuns: 60 }
  )
})

t.test('no frame of any bytes throws, and the scanner never decides otherwise than JSON.parse', async (t) => {
  const frame = Buffer.from(JSON.stringify(delta(2, A, '0.4200', '-35.50')))
  const edit = fc.tuple(fc.nat(frame.length - 1), fc.oneof(fc.nat(255), fc.integer({ min: 48, max: 57 })))
  const spoiled = fc.tuple(edit, fc.nat(3)).map(([[at, byte], kind]) => {
    if (kind === 0) return frame.subarray(0, at)
    const bytes = Buffer.from(frame)
    bytes[at] = byte
    return kind === 1 ? Buffer.concat([bytes.subarray(0, at), bytes.subarray(Math.max(0, at - byte))]) : bytes
  })
  const value = fc.oneof(
    fc.json(),
    fc.constantFrom('"0.42"', '"yes"', '1', '01', '"1.5"', 'null', '1e2', `"${A}"`)
  )
  const field = fc.tuple(fc.constantFrom('price', 'ts_ms', 'x', 'side', 'ts', 'client_order_id'), value)
  const built = fc.tuple(fc.array(field, { maxLength: 3 }), fc.nat(3)).map(([fields, at]) => {
    const known = Object.entries(delta(2, A, '0.4200', '1.00').msg).map(([key, one]) => [
      key,
      JSON.stringify(one)
    ])
    known.splice(at, 0, ...fields)
    const msg = known.map(([key, text]) => `"${key}":${text}`).join(' ,')
    return Buffer.from(`{"seq":2, "msg":{${msg}},"sid":1,"type":"orderbook_delta"} `)
  })
  const anything = fc.oneof(
    spoiled,
    built,
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
    fc.json().map((text) => Buffer.from(text))
  )
  let scanned = 0
  const outcome = (bytes: Buffer, useScanner: boolean) => {
    const { send, books, connection, depth, state, calls } = open({ useScanner })
    send(snapshot(1, A, SIDES))
    books.apply(bytes, 2, connection)
    return [depth(A), state(A), calls, [...books.counters.ignored], books.counters.applied]
  }
  fc.assert(
    fc.property(anything, (bytes) => {
      if (new DeltaScanner({ useYesPrice: false }).scan(bytes)) scanned++
      assert.deepEqual(outcome(bytes, true), outcome(bytes, false))
    }),
    {
      numRuns: 2_000,
      examples: [[frame], [Buffer.concat([frame, Buffer.from('}')])], [Buffer.from('['.repeat(100_000))]]
    }
  )
  t.ok(scanned > 100, `the scanner read ${scanned} of them`)
})

t.test(
  'recorded frames are understood',
  { skip: existsSync(DATA) ? false : 'the captures are not here' },
  async (t) => {
    const lines = (name: string) =>
      readFileSync(`${DATA}/${name}`, 'utf8')
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    for (const { frame, form } of lines('single_frames.jsonl')) {
      const { send, depth, books } = open({ autoFollow: true }, true)
      const msg = frame.msg
      if (frame.type === 'orderbook_delta') {
        send(
          snapshot(frame.seq - 1, msg.market_ticker, {
            [`${msg.side}_dollars_fp`]: [[msg.price_dollars ?? msg.price / 100, 50]]
          })
        )
        send(frame)
        const size = 50 + Number(msg.delta_fp ?? msg.delta)
        const { bids, asks } = depth(msg.market_ticker)
        t.equal(Number((msg.side === 'yes' ? bids : asks)[0]?.size), size, form)
      } else if (frame.type === 'orderbook_snapshot') {
        send(frame)
        const yes = msg.yes_dollars_fp ?? msg.yes.map(([p, s]: number[]) => [(p as number) / 100, s])
        const no = msg.no_dollars_fp ?? msg.no.map(([p, s]: number[]) => [(p as number) / 100, s])
        const { bids, asks } = depth(msg.market_ticker)
        const numbers = (levels: { price: string; size: string }[]) =>
          levels.map(({ price, size }) => [Number(price), Number(size)])
        t.same(
          numbers(bids),
          yes.toReversed().map(([p, s]: string[]) => [Number(p), Number(s)]),
          form
        )
        t.same(
          numbers(asks),
          no
            .toReversed()
            .map(([p, s]: string[]) => [Math.round(10_000 - Number(p) * 10_000) / 10_000, Number(s)]),
          form
        )
      }
      t.equal(books.counters.ignored.get('drift'), undefined)
    }
    const { send, books, state } = open({ autoFollow: true }, true)
    const mixed = lines('mixed_channels_live_sample_2026-05-20.jsonl')
    for (const frame of mixed) send(frame)
    t.equal(books.counters.frames, mixed.length)
    t.equal(books.counters.applied, 1, 'the empty snapshot')
    t.equal(state(mixed.find(({ type }) => type === 'orderbook_snapshot').msg.market_ticker).state, 'live')
    t.equal(books.counters.ignored.get('subscribed'), 10)
    t.notOk(books.counters.ignored.has('malformed'))
  }
)
