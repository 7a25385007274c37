import { constants, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import WebSocket from 'ws'
import { Faults } from '../../simulator/faults.ts'
import { type KalshiOptions, type KalshiServer, startKalshi } from '../../simulator/kalshi/server.ts'
import { createRandom } from '../../simulator/model/random.ts'
import type { SimMarket, World } from '../../simulator/model/types.ts'
import { createWorld } from '../../simulator/model/world.ts'

type Value = string | number | boolean | null | Value[] | { [key: string]: Value }
type Fields = { [key: string]: Value }
interface Frame {
  type: string
  id?: number
  sid?: number
  seq?: number
  msg: Fields
}
interface Venue extends KalshiServer {
  world: World
  faults: Faults
}

const KEY_ID = 'a952bcbe-0000-4000-8000-c30ec3a2bc63'
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const ed25519 = generateKeyPairSync('ed25519')
const CAPTURES = '../shared/data/kalshi'

function pemOf(key: KeyObject): string {
  return key.export({ type: 'spki', format: 'pem' }).toString()
}

async function startVenue(
  t: Test,
  options: Partial<KalshiOptions> & { markets?: number } = {}
): Promise<Venue> {
  const { markets = 24, ...rest } = options
  const world = createWorld({
    seed: 11,
    marketsPerVenue: markets,
    sharedShare: 0.3,
    now: Date.now,
    churnMs: 0,
    openDelayMs: 0
  })
  const faults = new Faults()
  const server = await startKalshi({
    world,
    faults,
    port: 0,
    auth: { keyId: KEY_ID, publicKeyPem: pemOf(rsa.publicKey) },
    clock: Date.now,
    random: createRandom(5).next,
    ...rest
  })
  t.teardown(async () => {
    world.stop()
    await server.stop()
  })
  return { ...server, world, faults }
}

function signed(path: string, key: KeyObject = rsa.privateKey, atMs = Date.now()): Record<string, string> {
  const text = Buffer.from(`${atMs}GET${path}`)
  const isRsa = key.asymmetricKeyType === 'rsa'
  const padding = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 32 }
  const signature = sign(isRsa ? 'sha256' : null, text, isRsa ? { key, ...padding } : key)
  return {
    'KALSHI-ACCESS-KEY': KEY_ID,
    'KALSHI-ACCESS-TIMESTAMP': String(atMs),
    'KALSHI-ACCESS-SIGNATURE': signature.toString('base64')
  }
}

/** Decimal text as an integer of 10^-scale; digits beyond that are refused. */
function units(text: Value | undefined, scale: number): number {
  const match = /^(-?)(\d+)(?:\.(\d+))?$/.exec(String(text))
  const fraction = match?.[3] ?? ''
  if (!match || fraction.length > scale) throw new Error(`${text} is no decimal of ${scale} digits`)
  return Number(`${match[1]}${match[2]}${fraction.padEnd(scale, '0')}`)
}

/** A client with its own idea of the protocol: it keeps every frame and builds books from them. */
class Client {
  readonly ws: WebSocket
  readonly frames: Frame[] = []
  readonly texts: string[] = []
  readonly books = new Map<string, { yes: Map<number, number>; no: Map<number, number> }>()
  readonly gaps: string[] = []
  readonly problems: string[] = []
  readonly pings: string[] = []
  closed: number | null = null
  #seqs = new Map<number, number>()
  #lastId = 0

  constructor(url: string, headers: Record<string, string>) {
    this.ws = new WebSocket(url, { headers })
    this.ws.on('message', (data) => this.#read(data.toString()))
    this.ws.on('ping', (data: Buffer) => this.pings.push(data.toString()))
    this.ws.on('close', (code) => {
      this.closed = code
    })
    this.ws.on('error', () => {})
  }

  command(cmd: string, params?: Value): number {
    this.ws.send(JSON.stringify({ id: ++this.#lastId, cmd, ...(params === undefined ? {} : { params }) }))
    return this.#lastId
  }

  of(type: string): Frame[] {
    return this.frames.filter((frame) => frame.type === type)
  }

  answer(id: number): Frame | undefined {
    return this.frames.find((frame) => frame.id === id)
  }

  #read(text: string): void {
    this.texts.push(text)
    let frame: Frame
    try {
      frame = JSON.parse(text)
    } catch {
      return
    }
    this.frames.push(frame)
    if (frame.sid !== undefined && frame.seq !== undefined) {
      const expected = (this.#seqs.get(frame.sid) ?? 0) + 1
      if (frame.seq !== expected) this.gaps.push(`${frame.sid}: ${expected} expected, ${frame.seq} came`)
      this.#seqs.set(frame.sid, frame.seq)
    }
    const { msg } = frame
    const ticker = String(msg?.market_ticker)
    if (frame.type === 'orderbook_snapshot') {
      this.books.set(ticker, { yes: levelsOf(msg.yes_dollars_fp), no: levelsOf(msg.no_dollars_fp) })
    } else if (frame.type === 'orderbook_delta' && msg.delta_fp !== undefined) this.#change(ticker, msg)
  }

  #change(ticker: string, msg: Fields): void {
    const book = this.books.get(ticker)
    if (!book) {
      this.problems.push(`delta before snapshot: ${ticker}`)
      return
    }
    const side = msg.side === 'yes' ? book.yes : book.no
    const price = units(msg.price_dollars, 4)
    const size = (side.get(price) ?? 0) + units(msg.delta_fp, 9) / 1000
    if (size < 0) this.problems.push('negative level')
    if (size === 0) side.delete(price)
    else side.set(price, size)
    if (Math.max(0, ...book.yes.keys()) + Math.max(0, ...book.no.keys()) >= 10_000)
      this.problems.push('crossed')
  }
}

function levelsOf(levels: Value | undefined): Map<number, number> {
  const pairs = (levels ?? []) as [string, string][]
  return new Map(pairs.map(([price, size]) => [units(price, 4), units(size, 6)]))
}

/** Waits for what a message, a timer or a socket brings about. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = performance.now() + 8_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`waited in vain for ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function connect(t: Test, venue: Venue): Promise<Client> {
  const client = new Client(venue.wsUrl, signed('/trade-api/ws/v2'))
  t.teardown(() => client.ws.terminate())
  await until(() => client.ws.readyState === WebSocket.OPEN, 'the upgrade')
  return client
}

/** A client that holds the books of these markets. */
async function follow(t: Test, venue: Venue, markets: SimMarket[], more: Fields = {}): Promise<Client> {
  const client = await connect(t, venue)
  client.command('subscribe', { channels: ['orderbook_delta'], market_tickers: ids(markets), ...more })
  await until(() => client.of('orderbook_snapshot').length === markets.length, 'the snapshots')
  return client
}

function ids(markets: SimMarket[]): string[] {
  return markets.map((market) => market.id)
}

function sorted(levels: Map<number, number>): [number, number][] {
  return [...levels].sort((a, b) => a[0] - b[0])
}

function truth(market: SimMarket): Record<string, [number, number][]> {
  const no = new Map([...market.book.asks].map(([price, size]) => [10_000 - price, size]))
  return { yes: sorted(market.book.bids), no: sorted(no) }
}

function held(client: Client, market: SimMarket): Record<string, [number, number][]> {
  const book = client.books.get(market.id)
  return { yes: sorted(book?.yes ?? new Map()), no: sorted(book?.no ?? new Map()) }
}

function agrees(client: Client, market: SimMarket): boolean {
  return JSON.stringify(held(client, market)) === JSON.stringify(truth(market))
}

async function get(venue: Venue, path: string, headers: Record<string, string> = {}) {
  const response = await fetch(venue.httpBase + path, { headers })
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json')
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: (isJson ? JSON.parse(text) : {}) as Fields
  }
}

const signedGet = (venue: Venue, path: string) =>
  get(venue, path, signed(`/trade-api/v2${path.split('?')[0]}`))

/** Makes a Kalshi happening with at least one delta for one of these markets. */
function move(venue: Venue, markets: SimMarket[]): void {
  for (;;) {
    const happening = venue.world.step('kalshi')
    const isChange =
      happening.kind === 'match' || (happening.kind === 'levels' && happening.changes.length > 0)
    if (isChange && markets.includes(happening.market)) return
  }
}

t.test('the socket', async (t) => {
  t.test('gives books that equal the truth at 2,000 happenings a second, in sequence', async (t) => {
    const venue = await startVenue(t, { markets: 100 })
    const markets = venue.world.markets('kalshi')
    const clients = [await follow(t, venue, markets), await follow(t, venue, markets.slice(0, 50))]
    venue.world.setRate(4_000)
    const before = process.cpuUsage()
    venue.world.start()
    await until(() => (clients[0]?.of('orderbook_delta').length ?? 0) > 5_000, 'five thousand deltas')
    venue.world.stop()
    const { user, system } = process.cpuUsage(before)
    t.comment(`${Math.round((user + system) / 1000)} ms of CPU for world, server and two clients`)
    for (const [index, client] of clients.entries()) {
      const followed = index === 0 ? markets : markets.slice(0, 50)
      await until(() => followed.every((market) => agrees(client, market)), 'the books to agree')
      t.strictSame(client.gaps, [])
      t.strictSame(client.problems, [], 'never crossed nor negative at a message boundary')
    }
    const deltas = clients[0]?.of('orderbook_delta') ?? []
    const sharesTime = deltas.some((frame, at) => {
      const next = deltas[at + 1]
      return next?.msg.ts === frame.msg.ts && next?.seq === (frame.seq ?? 0) + 1
    })
    t.ok(sharesTime, 'one act is several deltas with one ts')
    t.ok(
      deltas.some((frame) => /\.\d{1,5}Z$/.test(String(frame.msg.ts))),
      'fractions of ts are trimmed'
    )
    t.ok(
      deltas.some((frame) => /\.\d[1-9]$|\.[1-9]\d$/.test(String(frame.msg.delta_fp))),
      'deltas are fractional'
    )
  })

  t.test('merges a second subscribe, answers a burst out of order, ok before snapshot', async (t) => {
    const venue = await startVenue(t)
    const markets = venue.world.markets('kalshi').slice(0, 12)
    const client = await connect(t, venue)
    const sent = markets.map(({ id }) =>
      client.command('subscribe', { channels: ['orderbook_delta'], market_tickers: [id] })
    )
    await until(() => client.of('orderbook_snapshot').length === 12, 'twelve snapshots')
    const answers = client.frames.filter((frame) => frame.id !== undefined)
    t.strictNotSame(
      answers.map((frame) => frame.id),
      sent,
      'another order than that of the commands'
    )
    t.equal(client.of('subscribed').length, 1)
    t.equal(client.of('ok').length, 11)
    t.strictSame(client.of('ok').at(-1)?.msg.market_tickers, ids(markets).sort(), 'the whole list, sorted')
    t.strictSame(client.gaps, [], 'ok takes a number, subscribed none')
    for (const ok of client.of('ok')) {
      const next = client.frames[client.frames.indexOf(ok) + 1]
      t.equal(next?.type, 'orderbook_snapshot')
    }
    client.command('subscribe', {
      channels: ['orderbook_delta'],
      market_ticker: markets[0]?.id ?? '',
      skip_ticker_ack: true
    })
    await until(() => client.of('ok').length === 12, 'the spare answer')
    t.equal(client.of('ok').at(-1)?.msg.market_tickers, undefined)
  })

  t.test('adds, deletes, snapshots, lists and ends', async (t) => {
    const venue = await startVenue(t)
    const markets = venue.world.markets('kalshi').slice(0, 4)
    const [a, b, c, d] = ids(markets) as [string, string, string, string]
    const client = await follow(t, venue, markets.slice(0, 2))
    client.command('update_subscription', {
      sids: [1],
      action: 'add_markets',
      market_tickers: [c, d, 'KXNONE']
    })
    await until(() => client.of('orderbook_snapshot').length === 4, 'the added snapshots')
    t.strictSame(client.of('error'), [], 'an unknown market is no error')
    const asked = client.command('update_subscription', {
      sid: 1,
      action: 'get_snapshot',
      market_tickers: [b]
    })
    await until(() => client.answer(asked) !== undefined, 'the snapshot asked for')
    t.match(client.answer(asked), { type: 'orderbook_snapshot', sid: 1, msg: { market_ticker: b } })
    const removed = client.command('update_subscription', {
      sid: 1,
      action: 'delete_markets',
      market_tickers: [a]
    })
    await until(() => client.answer(removed) !== undefined, 'the removal')
    t.strictSame(client.answer(removed)?.msg.market_tickers, [b, c, d, 'KXNONE'].sort())
    const deltas = client.of('orderbook_delta').length
    move(venue, markets.slice(0, 1))
    move(venue, markets.slice(1))
    await until(() => client.of('orderbook_delta').length > deltas, 'a delta')
    t.notOk(client.of('orderbook_delta').some((frame) => frame.msg.market_ticker === a))
    const second = client.command('subscribe', { channels: ['ticker', 'trade'] })
    const listed = client.command('list_subscriptions')
    await until(() => client.answer(listed) !== undefined && client.of('subscribed').length === 3, 'the list')
    t.strictSame(
      client
        .of('subscribed')
        .filter((frame) => frame.id === second)
        .map((frame) => frame.msg.sid),
      [2, 3]
    )
    const ended = client.command('unsubscribe', { sids: [1] })
    await until(() => client.answer(ended) !== undefined, 'the end')
    t.match(client.answer(ended), { type: 'unsubscribed', sid: 1, seq: Number })
    t.strictSame(client.gaps, [])
    client.command('subscribe', { channels: ['orderbook_delta'], market_tickers: [a] })
    await until(() => client.of('subscribed').some((frame) => frame.msg.sid === 4), 'a new sid')
  })

  t.test('refuses with the documented codes, some without the id', async (t) => {
    const venue = await startVenue(t)
    const client = await connect(t, venue)
    client.command('subscribe', { channels: ['ticker'] })
    await until(() => client.of('subscribed').length === 1, 'the answer')
    const refused = async (send: () => void): Promise<Frame | undefined> => {
      const count = client.of('error').length
      send()
      await until(() => client.of('error').length > count, 'an error')
      return client.of('error').at(-1)
    }
    const cases: [string, Value | undefined, number][] = [
      ['subscribe', undefined, 2],
      ['subscribe', { channels: [] }, 3],
      ['unsubscribe', {}, 4],
      ['dance', {}, 5],
      ['unsubscribe', { sids: [9] }, 7],
      ['subscribe', { channels: ['ticker_v2'] }, 8],
      ['subscribe', { channels: ['ticker'], market_ticker: 'A', market_tickers: ['B'] }, 11],
      ['update_subscription', { sids: [1, 2], action: 'add_markets' }, 12],
      ['subscribe', { channels: ['orderbook_delta'] }, 14]
    ]
    for (const [cmd, params, code] of cases) {
      t.match(
        await refused(() => client.command(cmd, params)),
        { id: Number, msg: { code } },
        `${cmd}: ${code}`
      )
    }
    const scoped = await refused(() =>
      client.command('update_subscription', { sid: 1, action: 'get_snapshot', market_tickers: ['A'] })
    )
    t.match(scoped, { sid: 1, msg: { code: 13, msg: 'Unsupported action' } })
    t.equal(scoped?.id, undefined)
    const garbled = await refused(() => client.ws.send('{'))
    t.match(garbled, { msg: { code: 1 } })
    const zero = await refused(() => client.ws.send('{"id":0,"cmd":"dance","params":{}}'))
    t.equal(zero?.id, undefined, 'id 0 counts as absent')
  })

  t.test('tells prices of NO on the YES scale where asked', async (t) => {
    const venue = await startVenue(t)
    const markets = venue.world.markets('kalshi')
    const client = await follow(t, venue, markets, { use_yes_price: true })
    for (const frame of client.of('orderbook_snapshot')) {
      const market = venue.world.market('kalshi', String(frame.msg.market_ticker))
      const asks = levelsOf(frame.msg.no_dollars_fp)
      t.strictSame(sorted(asks), sorted(market?.book.asks ?? new Map()))
    }
  })

  t.test('announces what the venue announces, and nothing else', async (t) => {
    const venue = await startVenue(t, { combos: { count: 3, perSecond: 50 } })
    const [market] = venue.world.markets('kalshi') as [SimMarket]
    const client = await follow(t, venue, [market])
    client.command('subscribe', { channels: ['market_lifecycle_v2', 'multivariate_market_lifecycle'] })
    await until(() => client.of('subscribed').length === 3, 'the answers')
    const events = () => client.of('market_lifecycle_v2').map((frame) => frame.msg.event_type)
    const { world } = venue
    world.changeTick(market, market.tickE4 === 10 ? 100 : 10)
    world.pause(market)
    world.resume(market)
    await until(() => events().includes('activated'), 'the resumption')
    t.strictSame(events(), ['price_level_structure_updated', 'deactivated', 'activated'])
    t.strictSame(held(client, market), { yes: [], no: [] }, 'the book was emptied by deltas before')
    t.strictSame(client.problems, [])
    const listed = world.list('kalshi')
    world.close(market)
    world.settle(market, 'yes')
    await until(() => events().includes('settled'), 'the settlement')
    t.strictSame(events().slice(3), ['created', 'determined', 'settled'], 'the close is not announced')
    t.match(client.of('market_lifecycle_v2')[3]?.msg, {
      market_ticker: listed.id,
      open_ts: Number,
      price_ranges: [{ start: '0.0000', end: '1.0000', step: String }],
      additional_metadata: { event_ticker: listed.event.id, yes_sub_title: String }
    })
    await until(() => client.of('multivariate_market_lifecycle').length > 0, 'a new combo')
    t.ok(client.of('event_lifecycle').length > 0)
    t.notOk(
      client.of('market_lifecycle_v2').some((frame) => String(frame.msg.market_ticker).startsWith('KXMVE'))
    )
    t.strictSame(client.gaps, [])
  })

  t.test('sends tickers and trades that fit the book', async (t) => {
    const venue = await startVenue(t)
    const client = await connect(t, venue)
    const [first] = venue.world.markets('kalshi') as [SimMarket]
    client.command('subscribe', {
      channels: ['ticker'],
      market_ids: [first.uid],
      send_initial_snapshot: true
    })
    await until(() => client.of('ticker').length === 1, 'the first ticker')
    t.equal(client.of('ticker')[0]?.seq, undefined)
    t.equal(client.of('ticker')[0]?.msg.market_ticker, first.id)
    client.command('subscribe', { channels: ['trade'] })
    await until(() => client.of('subscribed').length === 2, 'the answer')
    let traded = 0
    while (traded < 3) {
      const happening = venue.world.step('kalshi')
      if (happening.kind === 'match') traded += happening.trades.length
    }
    await until(() => client.of('trade').length === traded, 'the trades')
    for (const { msg } of client.of('trade')) {
      t.equal(units(msg.yes_price_dollars, 4) + units(msg.no_price_dollars, 4), 10_000)
      t.equal(msg.taker_book_side, msg.taker_outcome_side === 'yes' ? 'bid' : 'ask')
    }
    t.strictSame(client.gaps, [])
  })

  t.test('ends the subscription of a slow reader with 25', async (t) => {
    const venue = await startVenue(t, { bufferLimitBytes: 100_000 })
    const markets = venue.world.markets('kalshi')
    const client = await follow(t, venue, markets)
    for (let n = 0; n < 2_000; n++) venue.world.step('kalshi')
    await until(() => client.of('error').length > 0, 'the error')
    t.match(client.frames.at(-1), { type: 'error', sid: 1, seq: Number, msg: { code: 25 } })
    t.strictSame(client.gaps, [])
  })

  t.test('pings with the payload heartbeat', async (t) => {
    const venue = await startVenue(t, { heartbeatMs: 20 })
    const client = await connect(t, venue)
    await until(() => client.pings.length > 1, 'two pings')
    t.ok(client.pings.every((payload) => payload === 'heartbeat'))
  })
})

t.test('the three wire forms', async (t) => {
  for (const form of ['transition', 'cents'] as const) {
    const venue = await startVenue(t)
    venue.faults.set('kalshi', 'wire_form', { form })
    const markets = venue.world.markets('kalshi')
    const client = await follow(t, venue, markets)
    const books = new Map<string, Map<string, number>>()
    for (let step = 0; step < 400; step++) venue.world.step('kalshi')
    await until(() => client.of('orderbook_delta').length > 100, 'deltas')
    const asked = client.command('list_subscriptions')
    await until(() => client.answer(asked) !== undefined, 'the answer after the last delta')
    for (const { type, msg } of client.frames) {
      const ticker = String(msg.market_ticker)
      const book = books.get(ticker) ?? new Map<string, number>()
      books.set(ticker, book)
      if (type === 'orderbook_snapshot') {
        for (const side of ['yes', 'no']) {
          for (const [price, count] of (msg[side] ?? []) as [number, number][])
            book.set(`${side} ${price}`, count)
        }
      }
      if (type === 'orderbook_delta' && msg.price !== undefined) {
        const key = `${msg.side} ${msg.price}`
        const count = (book.get(key) ?? 0) + Number(msg.delta)
        if (count === 0) book.delete(key)
        else book.set(key, count)
      }
    }
    for (const market of markets) {
      const whole = Object.entries(truth(market)).flatMap(([side, levels]) =>
        levels
          .filter(([price, size]) => price % 100 === 0 && size >= 1_000_000)
          .map(([price, size]): [string, number] => [`${side} ${price / 100}`, Math.floor(size / 1_000_000)])
      )
      const expected = new Map(whole)
      t.strictSame(new Map([...(books.get(market.id) ?? [])].sort()), new Map([...expected].sort()), form)
      if (form === 'transition') t.ok(agrees(client, market), 'the texts beside the integers are exact')
    }
    const delta = client.of('orderbook_delta')[0]?.msg
    t.equal(delta?.ts_ms, undefined)
    t.equal('delta_fp' in (delta ?? {}), form === 'transition')
    t.strictSame(client.gaps, [])
    t.ok(venue.faults.fired('kalshi', 'wire_form') > 0)
  }
})

t.test('faults on the wire', async (t) => {
  const venue = await startVenue(t)
  const { faults, world } = venue
  const markets = world.markets('kalshi').slice(0, 3)
  const [market] = markets as [SimMarket]
  const fired = (name: Parameters<Faults['fired']>[1]) => faults.fired('kalshi', name)

  t.test('drop, duplicate, reorder', async (t) => {
    for (const [name, gaps] of [
      ['drop_delta', 1],
      ['duplicate_delta', 1],
      ['reorder_delta', 3]
    ] as const) {
      const client = await follow(t, venue, markets)
      faults.set('kalshi', name, { market: market.id })
      for (let n = 0; n < 4; n++) move(venue, [market])
      await until(() => client.gaps.length >= gaps, name)
      t.equal(client.gaps.length, gaps, name)
      t.equal(fired(name), 1)
      client.ws.terminate()
    }
  })

  t.test('a snapshot late, a snapshot never', async (t) => {
    faults.set('kalshi', 'delta_before_snapshot', { ms: 40 })
    const client = await connect(t, venue)
    client.command('subscribe', { channels: ['orderbook_delta'], market_tickers: [market.id] })
    await until(() => client.of('subscribed').length === 1, 'the answer')
    move(venue, [market])
    await until(() => client.of('orderbook_snapshot').length === 1, 'the late snapshot')
    t.ok(client.problems.length > 0, 'deltas came first')
    await until(() => agrees(client, market), 'agreement all the same')
    t.strictSame(client.gaps, [])
    faults.set('kalshi', 'no_snapshot', { market: market.id })
    client.command('subscribe', { channels: ['orderbook_delta'], market_tickers: [] })
    client.command('update_subscription', { sid: 1, action: 'get_snapshot', market_tickers: [market.id] })
    await until(() => fired('no_snapshot') === 1, 'the refusal')
    faults.clear('no_snapshot')
    t.equal(fired('delta_before_snapshot'), 1)
  })

  t.test('a market mute, a connection mute', async (t) => {
    const client = await follow(t, venue, markets)
    faults.set('kalshi', 'mute_market', { market: market.id })
    move(venue, [market])
    move(venue, markets.slice(1))
    await until(() => client.of('orderbook_delta').length > 0, 'another market')
    faults.clearAll()
    t.notOk(client.of('orderbook_delta').some((frame) => frame.msg.market_ticker === market.id))
    t.strictSame(client.gaps, [], 'no number tells')
    t.ok(fired('mute_market') > 0)

    faults.set('kalshi', 'mute_connection')
    const count = client.frames.length
    move(venue, markets)
    let ponged = false
    client.ws.once('pong', () => {
      ponged = true
    })
    client.ws.ping()
    await until(() => ponged, 'the pong')
    t.equal(client.frames.length, count)
    faults.clearAll()
    move(venue, markets)
    await until(() => client.gaps.length > 0, 'the gap after it')
    client.ws.terminate()
  })

  t.test('half open: neither pong nor data', async (t) => {
    const client = await follow(t, venue, markets)
    faults.set('kalshi', 'half_open', { connection: venue.stats().connectionsOpened })
    const other = await follow(t, venue, markets)
    const count = client.frames.length
    const ponged = { client: false, other: false }
    client.ws.once('pong', () => {
      ponged.client = true
    })
    other.ws.once('pong', () => {
      ponged.other = true
    })
    client.ws.ping()
    other.ws.ping()
    move(venue, markets)
    await until(() => ponged.other && other.of('orderbook_delta').length > 0, 'the other connection to go on')
    t.notOk(ponged.client)
    t.equal(client.frames.length, count)
    t.equal(client.ws.readyState, WebSocket.OPEN)
    faults.clearAll()
    move(venue, markets)
    await until(() => client.gaps.length > 0 && ponged.client, 'life again')
    t.ok(fired('half_open') > 0)
    other.ws.terminate()
    client.ws.terminate()
  })

  t.test('sockets cut and closed', async (t) => {
    const cut = await follow(t, venue, markets)
    faults.set('kalshi', 'cut_socket')
    await until(() => cut.closed !== null, 'the reset')
    t.equal(cut.closed, 1006)
    const closing = await follow(t, venue, markets)
    faults.set('kalshi', 'close_socket', { code: 1012 })
    await until(() => closing.closed !== null, 'the close')
    t.equal(closing.closed, 1012)
    faults.set('kalshi', 'cut_socket')
    const next = await connect(t, venue)
    next.command('subscribe', { channels: ['trade'] })
    await until(() => next.closed !== null, 'the reset of who comes later')
    t.equal(fired('cut_socket'), 2)
  })

  t.test('messages that are not understood', async (t) => {
    const client = await follow(t, venue, markets)
    faults.set('kalshi', 'unknown_type')
    faults.set('kalshi', 'nonjson_text')
    await until(() => client.texts.length > client.frames.length, 'the text')
    t.match(client.of('orderbook_pulse'), [{ sid: 1, seq: Number }])
    t.strictSame(client.gaps, [])
    faults.set('kalshi', 'renamed_field', { market: market.id })
    move(venue, [market])
    await until(() => client.texts.some((text) => text.includes('"change_fp"')), 'the renamed field')
    faults.set('kalshi', 'too_many_decimals', { market: market.id })
    move(venue, [market])
    await until(() => client.texts.some((text) => /"delta_fp":"-?\d+\.\d{9}"/.test(text)), 'nine decimals')
    faults.set('kalshi', 'unknown_ids', { market: market.id })
    move(venue, [market])
    await until(() => client.texts.some((text) => text.includes('KXNOSUCH')), 'the unknown market')
    client.ws.terminate()
  })

  t.test('books that cannot be', async (t) => {
    for (const [name, problem] of [
      ['crossed_book', 'crossed'],
      ['negative_level', 'negative level']
    ] as const) {
      const client = await follow(t, venue, markets)
      faults.set('kalshi', name, { market: market.id })
      await until(() => client.problems.includes(problem), problem)
      client.command('update_subscription', { sid: 1, action: 'get_snapshot', market_tickers: [market.id] })
      await until(() => agrees(client, market), 'a snapshot to heal it')
      t.equal(fired(name), 1)
      client.ws.terminate()
    }
  })

  t.test('errors', async (t) => {
    const client = await follow(t, venue, markets)
    faults.set('kalshi', 'kalshi_error', { code: 25 })
    await until(() => client.of('error').length === 1, 'the error')
    t.match(client.of('error')[0], { sid: 1, seq: Number, msg: { code: 25 } })
    const count = client.frames.length
    move(venue, markets)
    client.command('subscribe', { channels: ['orderbook_delta'], market_tickers: ids(markets) })
    await until(() => client.of('subscribed').length === 2, 'a new subscription')
    t.equal(client.frames[count]?.type, 'subscribed', 'the old sid is silent')
    t.equal(client.frames[count]?.msg.sid, 2)
    faults.set('kalshi', 'kalshi_error', { code: 26 })
    const refused = client.command('list_subscriptions')
    await until(() => client.answer(refused) !== undefined, 'the refusal')
    t.match(client.answer(refused), { type: 'error', msg: { code: 26 } })
    client.ws.terminate()
  })

  t.test('answers', async (t) => {
    faults.set('kalshi', 'merged_subscribe')
    faults.set('kalshi', 'shuffle_answers', { ms: 30 })
    const client = await connect(t, venue)
    client.command('subscribe', { channels: ['orderbook_delta'], market_tickers: [market.id] })
    client.command('list_subscriptions')
    await until(
      () => client.of('orderbook_snapshot').length === 1 && client.of('ok').length === 2,
      'both answers'
    )
    t.equal(client.of('subscribed').length, 0)
    t.strictSame(client.gaps, [])
    t.match(client.frames[0], { id: 2, msg: Array }, 'the second command is answered first')
    t.equal(fired('merged_subscribe'), 1)
    t.equal(fired('shuffle_answers'), 1)
    faults.clearAll()
    client.ws.terminate()
  })

  t.test('upgrades', async (t) => {
    const refusal = async (): Promise<number> => {
      const ws = new WebSocket(venue.wsUrl, { headers: signed('/trade-api/ws/v2') })
      return new Promise((resolve) => {
        ws.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
        ws.on('open', () => resolve(101))
      })
    }
    faults.set('kalshi', 'refuse_upgrade', { status: 503, count: 1 })
    t.equal(await refusal(), 503)
    faults.set('kalshi', 'credentials_refused', { count: 1 })
    t.equal(await refusal(), 401)
    faults.set('kalshi', 'clock_offset', { ms: 60_000 })
    t.equal(await refusal(), 401)
    t.equal(fired('clock_offset'), 1)
    faults.clearAll()
  })
})

t.test('credentials', async (t) => {
  const venue = await startVenue(t)
  const status = (headers: Record<string, string>): Promise<number> =>
    new Promise((resolve) => {
      const ws = new WebSocket(venue.wsUrl, { headers })
      ws.on('unexpected-response', (_request, response) => resolve(response.statusCode ?? 0))
      ws.on('open', () => {
        ws.terminate()
        resolve(101)
      })
    })
  const path = '/trade-api/ws/v2'
  t.equal(await status(signed(path)), 101)
  t.equal(await status({}), 401, 'none')
  t.equal(await status(signed('/ws/v2')), 401, 'another path')
  t.equal(await status(signed(path, rsa.privateKey, Date.now() - 6_000)), 401, 'six seconds ago')
  t.equal(await status({ ...signed(path), 'KALSHI-ACCESS-KEY': 'other' }), 401, 'another key')
  t.equal(await status(signed(path, ed25519.privateKey)), 401, 'another kind of key')
  const { 'KALSHI-ACCESS-KEY': _, ...partial } = signed(path)
  t.equal(await status(partial), 401, 'two headers of three')
  t.match(await get(venue, '/markets', signed('/trade-api/v2/markets?x=1')), {
    status: 401,
    body: { error: { code: 'unauthorized' } }
  })
  t.equal((await signedGet(venue, '/markets?limit=1')).status, 200)

  const other = await startVenue(t, { auth: { keyId: KEY_ID, publicKeyPem: pemOf(ed25519.publicKey) } })
  const ws = new Client(other.wsUrl, signed(path, ed25519.privateKey))
  t.teardown(() => ws.ws.terminate())
  await until(() => ws.ws.readyState === WebSocket.OPEN, 'the Ed25519 upgrade')
})

t.test('REST', async (t) => {
  const venue = await startVenue(t, { markets: 60, combos: { count: 150, perSecond: 0 } })
  const { world, faults } = venue
  const walk = async (path: string, key: string): Promise<Fields[]> => {
    const items: Fields[] = []
    let cursor = ''
    do {
      const { body } = await get(venue, `${path}&cursor=${encodeURIComponent(cursor)}`)
      items.push(...(body[key] as Fields[]))
      cursor = String(body.cursor)
    } while (cursor !== '')
    return items
  }
  const details = (text: string) => ({
    error: { code: 'bad_request', message: 'bad request', details: text }
  })

  t.test('pages every market and event once', async (t) => {
    const markets = await walk('/markets?limit=7&mve_filter=exclude', 'markets')
    t.strictSame(
      markets.map((market) => market.ticker),
      ids(world.markets('kalshi'))
    )
    const events = await walk('/events?limit=5&with_nested_markets=true', 'events')
    t.equal(events.flatMap((event) => event.markets).length, 60)
    const combos = await walk('/events/multivariate?limit=40&with_nested_markets=true', 'events')
    t.equal(combos.length, 150)
    const { body } = await get(venue, '/markets')
    t.ok(
      (body.markets as Fields[]).every((market) => String(market.ticker).startsWith('KXMVE')),
      'combos dominate'
    )
    t.strictSame((await get(venue, '/markets?limit=1001')).body, details('invalid limit'))
    t.strictSame((await get(venue, '/events?limit=201')).body, details('invalid limit'))
    t.equal((await get(venue, '/markets?cursor=xxxx')).status, 400)
  })

  t.test('filters', async (t) => {
    const [a, b, paused, ended] = world.markets('kalshi') as [SimMarket, SimMarket, SimMarket, SimMarket]
    world.pause(paused)
    world.settle(ended, 'no')
    const statuses = async (status: string) =>
      (await walk(`/markets?status=${status}&mve_filter=exclude`, 'markets')).map((market) => market.ticker)
    t.strictSame(await statuses('paused'), [paused.id])
    t.strictSame(await statuses('settled'), [ended.id])
    t.equal((await statuses('open')).length, 58)
    for (const word of ['active', 'finalized']) {
      const { status, body } = await get(venue, `/markets?status=${word}`)
      t.equal(status, 400)
      t.strictSame(body, details('invalid status filter'))
    }
    const listed = await get(venue, `/markets?tickers=${b.id},KXNONE,${a.id}`)
    t.strictSame(
      (listed.body.markets as Fields[]).map((market) => market.ticker),
      [b.id, a.id]
    )
    const open = await walk('/events?status=open&with_nested_markets=true', 'events')
    const words = new Set(open.flatMap((event) => (event.markets as Fields[]).map((market) => market.status)))
    t.ok(words.has('inactive') || words.has('finalized'), 'nested are markets of any status')
    const one = await walk(`/markets?event_ticker=${a.event.id}`, 'markets')
    t.equal(one.length, a.event.markets.length)
    t.equal((await get(venue, '/markets?min_updated_ts=1')).status, 400)
    t.match((await get(venue, `/markets/${ended.id}`)).body.market, {
      status: 'finalized',
      result: 'no',
      yes_bid_dollars: '0.0000',
      yes_ask_dollars: '1.0000',
      settlement_value_dollars: '0.0000'
    })
  })

  t.test('serves books, one to anybody and many to the signed', async (t) => {
    const [market, other] = world.markets('kalshi').filter((one) => one.status === 'active') as [
      SimMarket,
      SimMarket
    ]
    const { body, headers } = await get(venue, `/markets/${market.id}/orderbook`)
    const book = body.orderbook_fp as Fields
    t.strictSame({ yes: [...levelsOf(book.yes_dollars)], no: [...levelsOf(book.no_dollars)] }, truth(market))
    t.equal(headers.get('cache-control'), 'public, max-age=15')
    const shallow = (await get(venue, `/markets/${market.id}/orderbook?depth=2`)).body.orderbook_fp as Fields
    t.strictSame([...levelsOf(shallow.yes_dollars)], truth(market).yes?.slice(-2), 'the best, ascending')
    t.equal((await get(venue, `/markets/${market.id}/orderbook?depth=101`)).status, 400)
    const path = `/markets/orderbooks?tickers=${market.id}&tickers=${other.id}`
    t.equal((await get(venue, path)).status, 401)
    const batch = await signedGet(venue, path)
    t.strictSame(
      (batch.body.orderbooks as Fields[]).map((entry) => entry.ticker),
      [market.id, other.id]
    )
    t.equal((await signedGet(venue, '/markets/orderbooks')).status, 400)
    t.strictSame((await get(venue, '/markets/KXNONE')).body, {
      error: { code: 'not_found', message: 'not found' }
    })
  })

  t.test('answers the rest of the table', async (t) => {
    let trades = 0
    while (trades < 5) {
      const happening = world.step('kalshi')
      if (happening.kind === 'match') trades += happening.trades.length
    }
    t.equal((await walk('/markets/trades?limit=2', 'trades')).length, trades)
    const [newest] = (await get(venue, '/markets/trades?limit=1')).body.trades as [Fields]
    const now = Math.floor(Date.now() / 1000)
    const span = `start_ts=${now - 600}&end_ts=${now + 600}&period_interval=1`
    const candles = await get(venue, `/series/KX/markets/${newest.ticker}/candlesticks?${span}`)
    t.match(candles.body, { ticker: newest.ticker, candlesticks: [{ end_period_ts: Number }] })
    t.match((await get(venue, `/markets/candlesticks?market_tickers=${newest.ticker}&${span}`)).body, {
      markets: [{ market_ticker: newest.ticker }]
    })
    t.match((await get(venue, '/exchange/status')).body, { exchange_active: true, trading_active: true })
    t.match((await get(venue, '/exchange/schedule')).body, {
      schedule: { standard_hours: [{ monday: Array }] }
    })
    const { series } = (await get(venue, '/series?include_volume=true')).body as { series: Fields[] }
    t.ok(series.length > 1)
    t.match((await get(venue, `/series/${series[0]?.ticker}`)).body, {
      series: { ticker: series[0]?.ticker }
    })
    t.equal((await get(venue, '/series/KXNONE')).status, 404)
    const [event] = world.events('kalshi')
    t.match((await get(venue, `/events/${event?.id}`)).body, {
      event: { markets: undefined },
      markets: Array
    })
    t.match((await get(venue, `/events/${event?.id}?with_nested_markets=true`)).body, {
      event: { markets: Array }
    })
    t.equal((await get(venue, '/exchange/announcements')).status, 404)
    t.match((await get(venue, '/historical/cutoff')).body, { market_settled_ts: String })
  })

  t.test('fails as asked', async (t) => {
    const [market] = world.markets('kalshi').filter((one) => one.status === 'active') as [SimMarket]
    const path = `/markets/${market.id}/orderbook`
    faults.set('kalshi', 'rest_status', { status: 429, count: 1 })
    const limited = await get(venue, path)
    t.equal(limited.status, 429)
    t.equal(limited.headers.get('retry-after'), null)
    t.strictSame(limited.body, { error: 'too many requests' })
    faults.set('kalshi', 'rest_status', { status: 503, count: 1 })
    t.match(await get(venue, path), { status: 503, body: { exchange_active: false } })
    faults.set('kalshi', 'rest_html', { status: 502, count: 1 })
    t.match(await get(venue, path), { status: 502, text: /^<!DOCTYPE html>/ })
    faults.set('kalshi', 'rest_slow', { ms: 80, count: 1 })
    const startedMs = performance.now()
    await get(venue, path)
    t.ok(performance.now() - startedMs > 75)
    faults.set('kalshi', 'credentials_refused', { count: 1 })
    t.equal((await signedGet(venue, '/markets?limit=1')).status, 401)

    faults.set('kalshi', 'rest_stale')
    const before = await get(venue, path)
    move(venue, [market])
    const after = await get(venue, path)
    t.equal(after.text, before.text)
    t.equal(after.headers.get('x-kalshi-cache-hits'), '1')
    t.equal(faults.fired('kalshi', 'rest_stale'), 1)
    faults.clearAll()
    t.not((await get(venue, path)).text, before.text)

    faults.set('kalshi', 'rest_lag', { ms: 60_000 })
    const past = truth(market)
    for (let n = 0; n < 20; n++) move(venue, [market])
    const book = (await get(venue, path)).body.orderbook_fp as Fields
    t.strictSame({ yes: [...levelsOf(book.yes_dollars)], no: [...levelsOf(book.no_dollars)] }, past)
    faults.clearAll()
  })

  t.test('takes tokens from the signed where an allowance is set', async (t) => {
    const limited = await startVenue(t, { rateLimit: { tokensPerSecond: 1, capacity: 30 } })
    const statuses = []
    for (let n = 0; n < 5; n++) statuses.push((await signedGet(limited, '/exchange/status')).status)
    t.strictSame(statuses, [200, 200, 200, 429, 429])
    t.equal((await get(limited, '/exchange/status')).status, 200)
  })
})

t.test('a recording is played to who subscribes', async (t) => {
  const lines = [
    '{"type":"subscribed","id":1,"msg":{"channel":"orderbook_delta","sid":7}}',
    '{"type":"orderbook_snapshot","sid":7,"seq":40,"msg":{"market_ticker":"KXA","market_id":"m","yes_dollars_fp":[["0.4000","3.00"]]}}',
    '{"received_ms":1,"frame":{"type":"trade","sid":8,"seq":1,"msg":{"market_ticker":"KXA"}}}',
    '{"type":"orderbook_delta","sid":7,"seq":41,"msg":{"market_ticker":"KXA","price_dollars":"0.4000","delta_fp":"1.50","side":"yes"}}',
    '{"type":"orderbook_delta","sid":7,"seq":43,"msg":{"market_ticker":"KXA","price_dollars":"0.3900","delta_fp":"2.00","side":"yes"}}'
  ]
  const file = join(t.testdir({}), 'frames.jsonl')
  writeFileSync(file, lines.join('\n'))
  const venue = await startVenue(t, { replay: { file, speed: 0 } })
  const client = await connect(t, venue)
  client.command('subscribe', { channels: ['orderbook_delta'], market_tickers: ['KXA'] })
  await until(() => client.of('orderbook_delta').length === 2, 'the recording')
  t.strictSame(
    client.frames.map((frame) => [frame.type, frame.sid, frame.seq]),
    [
      ['subscribed', undefined, undefined],
      ['orderbook_snapshot', 1, 1],
      ['orderbook_delta', 1, 2],
      ['orderbook_delta', 1, 4]
    ],
    "the connection's own numbers, the recorded hole"
  )
  t.strictSame(sorted(client.books.get('KXA')?.yes ?? new Map()), [
    [3_900, 2_000_000],
    [4_000, 4_500_000]
  ])
})

const withoutCaptures = existsSync(CAPTURES) ? false : 'the recorded answers are not on this machine'
t.test('has the shape of what the venue was recorded to send', { skip: withoutCaptures }, async (t) => {
  const capture = (name: string): Fields => {
    const bytes = readFileSync(join(CAPTURES, name))
    return JSON.parse((name.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString())
  }
  /** The JSON type of a value; a decimal text with how many digits it has after the point. */
  const kind = (value: Value | undefined): string => {
    if (value === null || Array.isArray(value)) return value === null ? 'null' : 'array'
    const decimals = typeof value === 'string' ? /^-?\d+\.(\d+)$/.exec(value)?.[1] : undefined
    return decimals === undefined ? typeof value : `${decimals.length} decimals`
  }
  /** Asserts the same keys with the same kinds of value, but for those that only some objects have. */
  const sameShape = (ours: Fields | undefined, theirs: Fields, what: string, absent: string[] = []): void => {
    const shape = (fields: Fields): Record<string, string> =>
      Object.fromEntries(
        Object.keys(fields)
          .filter((key) => !absent.includes(key))
          .sort()
          .map((key) => [key, kind(fields[key])])
      )
    t.strictSame(shape(ours ?? {}), shape(theirs), what)
  }
  const venue = await startVenue(t)
  const { world } = venue
  const [market] = world.markets('kalshi').filter((one) => one.strike.type === 'custom') as [SimMarket]
  const [ladder] = world.markets('kalshi').filter((one) => one.strike.type === 'greater') as [SimMarket]
  const marketOf = async ({ id }: SimMarket) => (await get(venue, `/markets/${id}`)).body.market as Fields

  const single = capture('rest/market_and_orderbook_2026-08-09.json')
  sameShape(await marketOf(market), (single.single as Fields).market as Fields, 'market')
  const [greater] = capture('rest/markets_open_KXBTC_2026-09-25.json').markets as [Fields]
  sameShape(await marketOf(ladder), greater, 'ladder market', ['subtitle', 'early_close_condition'])
  const book = (await get(venue, `/markets/${market.id}/orderbook`)).body
  sameShape(book.orderbook_fp as Fields, (single.orderbook as Fields).orderbook_fp as Fields, 'book')
  const [event] = capture('rest/events_nested_nfl_2026-08-09.json.gz').events as [Fields]
  const [ourEvent] = (await get(venue, '/events?with_nested_markets=true')).body.events as [Fields]
  sameShape(ourEvent, event, 'event', [
    'product_metadata',
    'strike_date',
    'strike_period',
    'settlement_sources'
  ])
  const series = capture('rest/series_KXBTC15M_2026-09-25.json').series as Fields
  const ours = (await get(venue, `/series/${market.event.series}`)).body.series as Fields
  sameShape(ours, series, 'series')
  const candles = capture('rest/candlesticks_1min_mlb_2026-08-09.json').candlesticks_response as Fields

  const recorded = readFileSync(join(CAPTURES, 'ws/mixed_channels_live_sample_2026-05-20.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .concat(
      readFileSync(join(CAPTURES, 'ws/single_frames.jsonl'), 'utf8')
        .trim()
        .split('\n')
        .filter((line) => line.includes('"form":"dollars_fp"'))
        .map((line) => JSON.stringify(JSON.parse(line).frame))
    )
    .map((line): Frame => JSON.parse(line))
  const client = await follow(t, venue, [market])
  const channels = ['ticker', 'trade', 'market_lifecycle_v2', 'multivariate_market_lifecycle']
  client.command('subscribe', { channels })
  await until(() => client.of('subscribed').length === 5, 'the answers')
  const traded = new Set<string>()
  while (traded.size < 4) {
    const happening = world.step('kalshi')
    if (happening.kind === 'match') traded.add(happening.market.id)
  }
  while (!agrees(client, market) || client.of('orderbook_delta').length === 0) {
    move(venue, [market])
    await until(() => agrees(client, market), 'the book')
  }
  const [candle] = candles.candlesticks as [Fields]
  const span = `start_ts=1&end_ts=${Math.floor(Date.now() / 1000) + 90_000}&period_interval=1440`
  for (const id of traded) {
    const { body } = await get(venue, `/series/KX/markets/${id}/candlesticks?${span}`)
    const [one] = body.candlesticks as [Fields]
    sameShape(one, candle, 'candle')
    sameShape(one.yes_ask as Fields, candle.yes_ask as Fields, 'candle.yes_ask')
    sameShape(one.price as Fields, candle.price as Fields, 'candle.price', ['previous_dollars'])
  }
  const settled = world.markets('kalshi').at(-1)
  if (settled) world.settle(settled, 'yes')
  await until(
    () => client.of('market_lifecycle_v2').some((frame) => frame.msg.event_type === 'settled'),
    'the end'
  )
  const compared = new Set<string>()
  for (const theirs of recorded) {
    const event = theirs.msg?.event_type
    const frame = client.of(theirs.type).find((one) => event === undefined || one.msg.event_type === event)
    if (!frame || theirs.type === 'error' || compared.has(theirs.type)) continue
    const isEmptyBook = theirs.type === 'orderbook_snapshot' && theirs.msg.yes_dollars_fp === undefined
    if (isEmptyBook) continue
    compared.add(theirs.type)
    const envelope = { ...frame } as unknown as Fields
    sameShape(envelope, { ...theirs } as unknown as Fields, theirs.type)
    // `is_block_trade` came after the recording.
    sameShape(frame.msg, theirs.msg, `${theirs.type}.msg`, ['is_block_trade'])
  }
  t.strictSame([...compared].sort(), [
    'market_lifecycle_v2',
    'orderbook_delta',
    'orderbook_snapshot',
    'subscribed',
    'ticker',
    'trade'
  ])
})
