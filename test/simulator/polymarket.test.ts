import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import type { FaultName, FaultParameters } from '../../simulator/faults.ts'
import { Faults } from '../../simulator/faults.ts'
import { createRandom } from '../../simulator/model/random.ts'
import type { SimMarket, World } from '../../simulator/model/types.ts'
import { createWorld } from '../../simulator/model/world.ts'
import { hashBook } from '../../simulator/polymarket/book-view.ts'
import { startPolymarket } from '../../simulator/polymarket/server.ts'
import { type ReplayOptions, readFrames } from '../../simulator/replay.ts'

const CAPTURES = '../shared/data/polymarket/ws'
const noCaptures = existsSync(CAPTURES) ? false : 'the shared captures are not on this machine'

type Level = { price: string; size: string }
type Change = Level & { asset_id: string; side: string; hash: string; best_bid?: string; best_ask?: string }
interface Message {
  event_type: string
  market: string
  asset_id: string
  timestamp: string
  hash: string
  bids: Level[]
  asks: Level[]
  price_changes: Change[]
  last_trade_price?: string
  tick_size?: string
  price?: string
  [field: string]: unknown
}
interface Book {
  bids: Map<string, string>
  asks: Map<string, string>
}

t.test('hashes', async (t) => {
  const market = `0x${'5ec1a7e0'.repeat(8)}`
  const assetId = '70741852963074185296307418529630741852963074185296307418529630741852963074185'
  t.equal(
    hashBook({
      market,
      assetId,
      timestamp: '1795000000000',
      bids: '{"price":"0.4","size":"100"},{"price":"0.41","size":"50.5"}',
      asks: '{"price":"0.45","size":"200"},{"price":"0.43","size":"30"}',
      minOrderSize: '5',
      tickSize: '0.01',
      negRisk: false,
      lastTradePrice: '0.420'
    }),
    'fb2ceb0dd5ed85104c3e52536602f19798887494',
    'the first vector of the protocol page'
  )
  t.equal(
    hashBook({
      market,
      assetId,
      timestamp: '1795000009000',
      bids: '{"price":"0.001","size":"12.5"}',
      asks: '',
      minOrderSize: '5',
      tickSize: '0.001',
      negRisk: true,
      lastTradePrice: ''
    }),
    'abf5eb3328ffac2be6101df2c3520af8f6c987c8',
    'the second: an empty side, negative risk, never traded'
  )
})

t.test('every hash of the captured books recomputes', { skip: noCaptures }, async (t) => {
  const dump: Message[] = JSON.parse(
    readFileSync(join(CAPTURES, 'initial_dump_excerpt_2026-09-24.json'), 'utf8')
  )
  t.equal(dump.length, 6)
  for (const book of dump) {
    const found = [false, true].map((negRisk) => hashMessage(book, toBook(book), book, negRisk))
    t.ok(found.includes(book.hash), book.asset_id.slice(0, 12))
  }

  const books = new Map<string, { dump: Message; book: Book }>()
  let checked = 0
  for await (const frame of readFrames(join(CAPTURES, 'market_btc_updown_5m_2026-08-16.jsonl'))) {
    const message: Message = JSON.parse(frame.text)
    t.ok(frame.atMs !== null)
    if (message.event_type === 'book') books.set(message.asset_id, { dump: message, book: toBook(message) })
    for (const change of message.price_changes ?? []) {
      const kept = books.get(change.asset_id)
      if (kept === undefined) continue
      applyChange(kept.book, change)
      t.equal(hashMessage(kept.dump, kept.book, message, false), change.hash)
      checked += 1
    }
  }
  t.ok(checked >= 142, `${checked} checked`)
})

t.test('frames have the form of the captured bytes', { skip: noCaptures }, async (t) => {
  const { world, connect } = await start(t)
  const market = firstMarket(world)
  const client = await connect()
  client.subscribe(market.tokens, { custom_feature_enabled: true })
  await client.until(() => client.frames.length > 0)
  moveUntil(world, () => client.texts('best_bid_ask') > 0 && client.texts('price_change') > 0)
  await client.until(() => client.texts('best_bid_ask') > 1 && client.texts('price_change') > 0)

  const captured = new Map<string, string>()
  for await (const { text } of readFrames(join(CAPTURES, 'market_frames_verbatim_2026-09-24.jsonl'))) {
    captured.set(JSON.parse(text).event_type, skeleton(text))
  }
  for (const type of ['price_change', 'best_bid_ask']) {
    const ours = client.frames.find((text) => text.includes(`"event_type":"${type}"`)) ?? ''
    t.equal(skeleton(ours), captured.get(type), type)
  }
  const dump = readFileSync(join(CAPTURES, 'initial_dump_excerpt_2026-09-24.json'), 'utf8')
  t.same(Object.keys(client.books(0)[0] ?? {}), Object.keys(JSON.parse(dump)[0]), 'keys of a dump book')
  t.notMatch(client.frames[0], /[,:] "/, 'a dump is compact')
})

t.test(
  'a client that follows dump and changes holds the truth, for both tokens of every market',
  async (t) => {
    const { world, connect } = await start(t, { marketsPerVenue: 60 })
    const client = await connect()
    const tokens = world.markets('polymarket').flatMap((market) => market.tokens)
    client.subscribe(tokens.slice(0, 60), { custom_feature_enabled: true })
    client.send({ operation: 'subscribe', assets_ids: tokens.slice(60) })
    const listed: SimMarket[] = []
    world.onHappening(({ kind, market }) => {
      if (kind === 'opened' && market.venue === 'polymarket') listed.push(market)
    })
    world.setRate(4_000)
    world.start()
    await client.until(() => world.happenings('polymarket') > 3_000)
    const paused = world.happenings('polymarket')
    world.stop()
    t.ok(paused > 3_000, `${paused} happenings of this venue`)
    // Trades come up to 150 ms late; a PONG after that closes the stream of what was sent.
    await sleep(200)
    client.send('PING')
    await client.until(() => client.frames.at(-1) === 'PONG')

    const follower = new Follower(true)
    for (const text of client.frames) follower.read(text)
    t.same(follower.problems.slice(0, 3), [], 'every hash and best price agreed at the end of its group')
    t.ok(follower.verified > 5_000, `${follower.verified} hashes verified`)
    t.ok((follower.counts.get('last_trade_price') ?? 0) > 50, 'trades')
    t.ok((follower.counts.get('best_bid_ask') ?? 0) > 50, 'best prices')
    for (const market of world.markets('polymarket')) {
      if (market.status !== 'active' || listed.includes(market)) continue
      for (const outcome of [0, 1] as const) {
        t.same(follower.levels(market.tokens[outcome]), truth(market, outcome), `${market.slug} ${outcome}`)
      }
    }
  }
)

t.test(
  'a match group: remainder first, one hash, final best prices, then the book, then the trade',
  async (t) => {
    const { world, connect } = await start(t)
    const client = await connect()
    client.subscribe(world.markets('polymarket').flatMap(({ tokens }) => tokens))
    await client.until(() => client.frames.length === 1)
    const happening = stepUntil(world, (one) => one.kind === 'match' && one.remainder !== null)
    if (happening.kind !== 'match' || happening.remainder === null) return t.fail('no match')
    const [Y, N] = happening.market.tokens
    await client.until(() =>
      client.messages().some((one) => one.event_type === 'last_trade_price' && one.asset_id === Y)
    )

    const all = client.messages()
    const end = all.findLastIndex((one) => one.event_type === 'book')
    const group = all.slice(end - 1 - happening.consumed.length - 1, end + 1)
    const changes = group.filter((one) => one.event_type === 'price_change')
    t.equal(changes.length, 1 + happening.consumed.length)
    t.equal(
      changes[0]?.price_changes[0]?.side,
      happening.remainder.side === 'bid' ? 'BUY' : 'SELL',
      'the remainder first'
    )
    for (const outcome of [0, 1]) {
      const elements = changes.map((one) => one.price_changes[outcome])
      t.equal(new Set(elements.map((one) => one?.hash)).size, 1, 'one hash')
      t.equal(
        new Set(elements.map((one) => `${one?.best_bid} ${one?.best_ask}`)).size,
        1,
        'final best prices'
      )
    }
    t.same(
      group.slice(-2).map((one) => [one.event_type, one.asset_id]),
      [
        ['book', Y],
        ['book', N]
      ]
    )
    t.notOk('tick_size' in (group.at(-1) ?? {}))
    const book = group.at(-2)
    t.equal(book?.hash, changes[0]?.price_changes[0]?.hash)
  }
)

t.test('the text protocol of the market channel', async (t) => {
  const { world, connect } = await start(t)
  const [first, second] = [firstMarket(world), world.markets('polymarket')[1]]

  const early = await connect()
  early.send('PING')
  t.same(await early.closed, [1008, 'invalid subscription payload'])
  const malformed = await connect()
  malformed.send('{"assets_ids":')
  t.same(await malformed.closed, [1008, 'invalid subscription payload'])

  const client = await connect()
  client.subscribe([first.tokens[0], '123456'])
  await client.until(() => client.frames.length === 1)
  t.equal(client.books(0).length, 1, 'an unknown id is left out')
  client.send('PING')
  client.send({ operation: 'subscribe', assets_ids: [first.tokens[0]], custom_feature_enabled: true })
  client.send({ operation: 'subscribe', assets_ids: [second?.tokens[1]] })
  await client.until(() => client.frames.length === 4)
  t.same(client.frames.slice(1, 3), ['PONG', 'NO NEW ASSETS'])
  t.match(client.books(3), [{ asset_id: second?.tokens[1], event_type: 'book' }])

  const listed = world.list('polymarket')
  world.changeTick(first, first.tickE4 === 10 ? 1 : 10)
  world.settle(first, 'no')
  await client.until(() => client.messages().some((one) => one.event_type === 'market_resolved'))
  const told = client.messages()
  t.match(
    told.find((one) => one.event_type === 'new_market'),
    { condition_id: listed.id, outcomes: [listed.yesLabel, listed.noLabel] }
  )
  t.match(
    told.find((one) => one.event_type === 'market_resolved'),
    { winning_asset_id: first.tokens[1] }
  )
  t.match(
    told.find((one) => one.event_type === 'tick_size_change'),
    { asset_id: first.tokens[0] }
  )

  client.send({ operation: 'unsubscribe', assets_ids: [second?.tokens[1]] })
  client.send({ operation: 'subscribe', assets_ids: [second?.tokens[1]] })
  await client.until(() => client.books(client.frames.length - 1).length === 1)
  t.pass('unsubscribe and subscribe give a fresh book')

  const flood = await connect()
  flood.subscribe(Array.from({ length: 1_500 }, (_, index) => String(index)))
  t.equal((await flood.closed)[0], 1001, 'thousands of ids in one frame end the connection')
})

t.test('a connection with more than 500 assets gets changes and no books', async (t) => {
  const { world, connect } = await start(t, { marketsPerVenue: 260 })
  const client = await connect()
  client.subscribe(world.markets('polymarket').flatMap(({ tokens }) => tokens))
  client.send('PING')
  await client.until(() => client.frames.length === 1)
  t.same(client.frames, ['PONG'])
  world.step('polymarket')
  await client.until(() => client.frames.length > 1)
})

t.test('faults of the stream', async (t) => {
  const setup = await start(t, { marketsPerVenue: 4 })
  const { world, faults, connect, disconnect } = setup
  const market = firstMarket(world)

  /** A fresh connection that follows everything, the fault on, and ten changes sent. */
  const meet = async (name: FaultName, parameters: FaultParameters = {}) => {
    faults.clearAll()
    await disconnect()
    const client = await connect()
    client.subscribe(world.markets('polymarket').flatMap(({ tokens }) => tokens))
    await client.until(() => client.frames.length === 1)
    const happenings: { market: SimMarket; changes: number }[] = []
    const stop = world.onHappening((one) => {
      if (one.kind === 'levels') happenings.push({ market: one.market, changes: one.changes.length })
    })
    faults.set('polymarket', name, parameters)
    for (let step = 0; step < 10; ) if (world.step('polymarket').kind === 'levels') step += 1
    stop()
    return { client, sent: happenings.reduce((sum, { changes }) => sum + changes, 0), happenings }
  }
  const settled = async (client: Client) => {
    await sleep(30)
    return client.messages().filter((one) => one.event_type === 'price_change')
  }
  const fired = (name: FaultName) => faults.fired('polymarket', name)

  t.test('drop, duplicate, reorder', async (t) => {
    const dropped = await meet('drop_delta', { count: 3 })
    const kept = await settled(dropped.client)
    t.ok(fired('drop_delta') === 3 && kept.length >= dropped.sent - 3)
    t.ok(new Follower(false).readAll(dropped.client.frames).problems.length > 0, 'a hash tells the loss')

    const doubled = await meet('duplicate_delta', { count: 2 })
    const texts = (await settled(doubled.client)).map((one) => JSON.stringify(one))
    t.ok(texts.some((text, index) => text === texts[index - 1]))

    const turned = await meet('reorder_delta')
    await sleep(1_200)
    t.equal(fired('reorder_delta'), 1)
    t.ok((await settled(turned.client)).length >= turned.sent, 'held back, not lost')
  })

  t.test('spoilt changes', async (t) => {
    const renamed = await settled((await meet('renamed_field')).client)
    t.ok(renamed.some(({ price_changes }) => price_changes[0] && !('size' in price_changes[0])))
    const long = await settled((await meet('too_many_decimals')).client)
    t.ok(long.some(({ price_changes }) => /\.\d{9}$/.test(price_changes[0]?.size ?? '')))
    const negative = await settled((await meet('negative_level')).client)
    t.ok(negative.some(({ price_changes }) => price_changes[0]?.size === '-5'))
    const unknown = await settled((await meet('unknown_ids')).client)
    t.ok(unknown.some((one) => one.market === `0x${'0'.repeat(64)}`))
    const crossed = await meet('crossed_book')
    t.ok((await settled(crossed.client)).length > crossed.sent)
    t.equal(fired('crossed_book'), 1)
  })

  t.test('silence: one connection, one market', async (t) => {
    const muted = await meet('mute_connection')
    muted.client.send('PING')
    await muted.client.until(() => muted.client.frames.includes('PONG'))
    t.equal((await settled(muted.client)).length, 0, 'PONG is no proof of life')

    const half = await meet('mute_market', { market: market.id })
    t.ok((await settled(half.client)).every((one) => one.market !== market.id))
    t.ok(half.happenings.some((one) => one.market === market))
  })

  t.test('snapshots: none, late, none above a number', async (t) => {
    const tokens = [...market.tokens]
    faults.clearAll()
    faults.set('polymarket', 'no_snapshot')
    const without = await connect()
    without.subscribe(tokens)
    without.send('PING')
    // A trade of the steps before may still come late.
    await without.until(() => without.frames.includes('PONG'))
    t.notOk(without.frames.some((text) => text.startsWith('[')))

    faults.clearAll()
    faults.set('polymarket', 'delta_before_snapshot', { ms: 50 })
    const late = await connect()
    late.subscribe(tokens)
    late.send('PING')
    await late.until(() => late.frames.includes('PONG'))
    for (let step = 0; step < 40; step++) world.step('polymarket')
    await late.until(() => late.frames.some((text) => text.startsWith('[')))
    const first = late.frames.findIndex((text) => text.includes('price_change'))
    t.ok(first > 0 && first < late.frames.findIndex((text) => text.startsWith('[')))

    faults.clearAll()
    faults.set('polymarket', 'no_dump_above', { assets: 1 })
    const above = await connect()
    above.subscribe(tokens)
    above.send('PING')
    await above.until(() => above.frames.includes('PONG'))
    t.same([above.frames.some((text) => text.startsWith('[')), fired('no_dump_above')], [false, 1])
  })

  t.test('whole connections', async (t) => {
    const cut = await meet('cut_socket')
    t.equal((await cut.client.closed)[0], 1006)
    const closed = await meet('close_socket', { code: 1012 })
    t.equal((await closed.client.closed)[0], 1012)
    const odd = await meet('unknown_type')
    await odd.client.until(() => odd.client.frames.some((text) => text.includes('market_mood')))
    const text = await meet('nonjson_text', { text: 'hold on' })
    await text.client.until(() => text.client.frames.includes('hold on'))

    const frozen = await meet('half_open')
    frozen.client.send('PING')
    await sleep(150)
    // A late trade of the connection before may still come in ahead of the fault.
    t.notOk(
      frozen.client.frames.some((text) => text === 'PONG' || text.includes('price_change')),
      'it is mute'
    )
    faults.clear('half_open')
    await frozen.client.until(() => frozen.client.frames.includes('PONG'))

    faults.set('polymarket', 'refuse_upgrade', { count: 1 })
    await t.rejects(connect(), /503/)
    faults.set('polymarket', 'cut_socket', { connection: 9_999 })
    const spared = await connect()
    spared.subscribe([market.tokens[0]])
    await spared.until(() => spared.frames.length === 1)
    t.equal(faults.rules().length, 1, 'a fault for another connection stays armed')
  })

  t.test('empty sides, silent resolution, a clock ahead', async (t) => {
    const sideless = world.markets('polymarket')[1]
    if (sideless === undefined) return t.fail('no market')
    for (const [form, expected] of [
      ['zero_one', '0'],
      ['empty', ''],
      ['absent', undefined]
    ] as const) {
      faults.clearAll()
      faults.set('polymarket', 'empty_side_notation', { form })
      const client = await connect()
      client.subscribe([sideless.tokens[0]])
      await client.until(() => client.frames.length === 1)
      for (;;) {
        sideless.book.bids.clear()
        const { market: moved, kind } = world.step('polymarket')
        if (moved === sideless && kind === 'levels' && sideless.book.bids.size === 0) break
      }
      client.send('PING')
      await client.until(() => client.frames.includes('PONG'))
      const change = client.messages().findLast((one) => one.event_type === 'price_change')
      t.equal(
        change?.price_changes.find((one) => one.asset_id === sideless.tokens[0])?.best_bid,
        expected,
        form
      )
    }

    faults.clearAll()
    faults.set('polymarket', 'no_resolution_message')
    faults.set('polymarket', 'clock_offset', { ms: 3_600_000 })
    const client = await connect()
    client.subscribe([market.tokens[0]], { custom_feature_enabled: true })
    await client.until(() => client.frames.length === 1)
    world.settle(market, 'yes')
    const listed = world.list('polymarket')
    await client.until(() => client.messages().some((one) => one.market === listed.id))
    t.notOk(client.messages().some((one) => one.event_type === 'market_resolved'))
    const ahead = Number(client.messages().find((one) => one.market === listed.id)?.timestamp) - Date.now()
    t.ok(ahead > 3_590_000, `${ahead} ms ahead`)
    t.equal(fired('no_resolution_message'), 1)
  })
})

t.test('CLOB over REST', async (t) => {
  const { world, faults, get, post } = await start(t)
  const [market, other] = [firstMarket(world), world.markets('polymarket')[1]]
  const tokens = [...market.tokens, ...(other?.tokens ?? [])]
  t.equal((await get('clob', '/ok')).text, '"OK"')
  t.ok(Math.abs(Number((await get('clob', '/time')).text) - Date.now() / 1000) < 5)
  t.match(await get('clob', '/book?token_id=12'), {
    status: 404,
    json: { error: 'No orderbook exists for the requested token id' }
  })
  t.match(await get('clob', '/book?token_id=abc'), { status: 400, json: { error: 'Invalid token id' } })
  const book = (await get('clob', `/book?token_id=${tokens[1]}`)).json as unknown as Message
  t.equal(hashMessage(book, toBook(book), book, market.negRisk), book.hash, 'its hash holds')
  t.same(levelsOf(toBook(book)), truth(market, 1))
  t.equal(book.min_order_size, '5')

  const books = (
    await post(
      '/books',
      [...tokens, '99'].map((token_id) => ({ token_id }))
    )
  ).json as unknown as Message[]
  t.same(books.map((one) => one.asset_id).sort(), [...tokens].sort(), 'the unknown token is left out')
  t.equal((await post('/books', { token_id: tokens[0] })).status, 400)
  t.match((await get('clob', `/markets/${market.id}`)).json, {
    tokens: [{ winner: false }, { winner: false }]
  })
  t.match((await get('clob', `/clob-markets/${market.id}`)).json, { c: market.id, t: [{ t: tokens[0] }, {}] })
  t.match((await get('clob', `/tick-size?token_id=${tokens[0]}`)).json, {
    minimum_tick_size: market.tickE4 / 10_000
  })
  t.match((await get('clob', `/neg-risk?token_id=${tokens[0]}`)).json, { neg_risk: market.negRisk })

  faults.set('polymarket', 'rest_status', { status: 429, count: 1 })
  t.equal((await get('clob', '/ok')).status, 429)
  faults.set('polymarket', 'rest_html', { count: 1 })
  t.match(await get('clob', '/ok'), { status: 429, type: /text\/html/ })
  faults.set('polymarket', 'rest_slow', { count: 1, ms: 80 })
  const startedMs = performance.now()
  await get('clob', '/ok')
  t.ok(performance.now() - startedMs >= 75)

  const path = `/book?token_id=${tokens[0]}`
  const moveIt = () => stepUntil(world, (one) => one.kind === 'levels' && one.market === market)
  faults.set('polymarket', 'rest_stale')
  const before = (await get('clob', path)).text
  moveIt()
  t.equal((await get('clob', path)).text, before, 'a cached book')
  faults.clearAll()
  t.not((await get('clob', path)).text, before)

  faults.set('polymarket', 'rest_lag', { ms: 60_000 })
  moveIt()
  const past = truth(market, 0)
  moveIt()
  t.same(levelsOf(toBook((await get('clob', path)).json as unknown as Message)), past, 'a book of before')

  faults.clearAll()
  world.settle(market, 'no')
  t.equal((await get('clob', path)).status, 404)
  t.match((await get('clob', `/markets/${market.id}`)).json, {
    closed: true,
    tokens: [{ winner: false }, { winner: true }]
  })
})

t.test('discovery over Gamma', async (t) => {
  const { world, get } = await start(t, { marketsPerVenue: 230 })
  const pages = async (path: string, name: string, cursorName = 'after_cursor') => {
    const seen: string[] = []
    let cursor = ''
    for (let page = 0; page < 5; page++) {
      const { json } = await get(
        'gamma',
        `${path}&limit=100${cursor && `&${cursorName}=${encodeURIComponent(cursor)}`}`
      )
      seen.push(...(json[name] as { id: string }[]).map(({ id }) => id))
      if (!('next_cursor' in json)) break
      cursor = String(json.next_cursor)
    }
    return seen
  }
  const ids = await pages('/markets/keyset?order=volume24hr&ascending=false', 'markets')
  t.same(
    [...ids].sort(),
    world
      .markets('polymarket')
      .map(({ uid }) => uid)
      .sort(),
    'every market once'
  )
  const misnamed = await pages('/markets/keyset?x=1', 'markets', 'cursor')
  t.equal(new Set(misnamed).size, 100, 'a misnamed cursor reads the first page for ever')
  const events = await pages('/events/keyset?closed=false', 'events')
  t.equal(new Set(events).size, world.events('polymarket').length)

  for (const query of ['limit=0', 'limit=101', 'limit=x', 'offset=5', 'after_cursor=nonsense']) {
    t.match(
      await get('gamma', `/markets/keyset?${query}`),
      { status: 422, json: { type: 'validation error' } },
      query
    )
  }
  const first = (await get('gamma', '/markets/keyset?limit=2')).json
  t.equal(
    (await get('gamma', `/markets/keyset?limit=2&closed=true&after_cursor=${first.next_cursor}`)).status,
    422,
    'a cursor belongs to its query'
  )
  t.equal((await get('gamma', '/markets?offset=2001')).status, 422)
  t.equal(((await get('gamma', '/markets?limit=7&offset=3')).json as unknown as unknown[]).length, 7)
  t.match(await get('gamma', '/markets/1'), { status: 404, json: { error: 'id not found' } })

  const markets = world.markets('polymarket')
  const [one, two] = [firstMarket(world), markets[1]]
  const object = (await get('gamma', `/markets/${one.uid}`)).json
  t.same(JSON.parse(String(object.clobTokenIds)), one.tokens, 'JSON in a text')
  t.same(JSON.parse(String(object.outcomes)), [one.yesLabel, one.noLabel])
  t.match(object.endDate, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
  t.match(object.endDateIso, /^\d{4}-\d\d-\d\d$/)
  t.type(object.volume, 'string')
  const find = async (query: string) =>
    ((await get('gamma', `/markets/keyset?${query}`)).json.markets as { id: string }[]).map(({ id }) => id)
  t.same(await find(`condition_ids=${one.id}&condition_ids=${two?.id}`), [one.uid, two?.uid])
  t.same(await find(`clob_token_ids=${one.tokens[1]}`), [one.uid])
  const tag = one.event.tags[0]
  t.ok((await find(`tag_id=${tag?.id}`)).includes(one.uid))
  const tagged = (await get('gamma', `/events/keyset?tag_slug=${tag?.slug}`)).json.events as {
    tags: { slug: string }[]
  }[]
  t.ok(tagged.length > 0 && tagged.every(({ tags }) => tags.some(({ slug }) => slug === tag?.slug)))
  t.ok(((await get('gamma', '/tags')).json as unknown as unknown[]).length > 3)

  const listed = world.list('polymarket')
  t.notOk('volume' in (await get('gamma', `/markets/${listed.uid}`)).json, 'nothing traded, no volume')
  listed.book.bids.clear()
  world.settle(one, 'yes')
  t.same(await find(`condition_ids=${one.id}`), [], 'a closed market hides by default')
  t.same(await find(`condition_ids=${one.id}&closed=true`), [one.uid])
  const resolved = (await get('gamma', `/markets/slug/${one.slug}`)).json
  t.match(resolved, { closed: true, umaResolutionStatus: 'resolved', outcomePrices: '["1", "0"]' })
  t.match(resolved.closedTime, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\+00$/)
})

t.test('a recording is played in place of the model', async (t) => {
  const file = join(t.testdir({}), 'recording.jsonl')
  const frames = ['[{"event_type":"book"}]', '{"a":"b", "event_type":"price_change"}', 'PONG?']
  writeFileSync(
    file,
    [
      frames[0],
      JSON.stringify({ received_ms: 1_000, frame: { a: 'b' } }),
      '',
      JSON.stringify({ frame: 18, recv_ms: 1_120, text: frames[1] }),
      JSON.stringify({ recv_ms: 1_130, msg: frames[2] })
    ].join('\n')
  )
  const { world, connect } = await start(t, { replay: { venue: 'polymarket', file, speed: 2 } })
  const client = await connect()
  const startedMs = performance.now()
  client.subscribe(firstMarket(world).tokens)
  await client.until(() => client.frames.length === 4)
  t.same(client.frames, [frames[0], '{"a":"b"}', frames[1], frames[2]])
  t.ok(performance.now() - startedMs >= 60, 'at twice the pace of 130 ms')
})

interface StartOptions {
  marketsPerVenue?: number
  replay?: ReplayOptions
}

/** Starts the venue alone on free ports. */
async function start(t: Test, { marketsPerVenue = 8, replay }: StartOptions = {}) {
  const world = createWorld({
    seed: 11,
    marketsPerVenue,
    sharedShare: 0.5,
    now: Date.now,
    churnMs: 0,
    openDelayMs: 0
  })
  const faults = new Faults()
  const server = await startPolymarket({
    world,
    faults,
    port: 0,
    clock: Date.now,
    random: createRandom(5),
    ...(replay === undefined ? {} : { replay })
  })
  const clients: Client[] = []
  t.teardown(async () => {
    world.stop()
    for (const client of clients) client.terminate()
    await server.stop()
  })
  const ask = async (url: string, init?: RequestInit) => {
    const response = await fetch(url, init)
    const text = await response.text()
    const type = response.headers.get('content-type') ?? ''
    const json: Record<string, unknown> = type.includes('json') ? JSON.parse(text) : {}
    return { status: response.status, type, text, json }
  }
  return {
    world,
    faults,
    get: (server_: 'clob' | 'gamma', path: string) =>
      ask(`${server_ === 'clob' ? server.clobBase : server.gammaBase}${path}`),
    post: (path: string, body: unknown) =>
      ask(`${server.clobBase}${path}`, { method: 'POST', body: JSON.stringify(body) }),
    /** Ends every client, and waits until the venue has seen it: a counted fault meets whoever comes first. */
    disconnect: async () => {
      for (const client of clients.splice(0)) client.terminate()
      while (server.stats().connections.length > 0) await sleep(1)
    },
    connect: async () => {
      const client = await Client.open(server.wsUrl)
      clients.push(client)
      return client
    }
  }
}

/** A socket that keeps every frame. */
class Client {
  readonly frames: string[] = []
  readonly closed: Promise<[number, string]>
  readonly #socket: WebSocket
  readonly #waiting = new Set<() => void>()

  constructor(socket: WebSocket) {
    this.#socket = socket
    socket.on('message', (data) => {
      this.frames.push(String(data))
      for (const check of this.#waiting) check()
    })
    socket.on('error', () => {})
    this.closed = new Promise((resolve) => {
      socket.on('close', (code, reason) => resolve([code, String(reason)]))
    })
  }

  static open(url: string): Promise<Client> {
    return new Promise((resolve, reject) => {
      const socket = new WebSocket(url)
      const client = new Client(socket)
      socket.once('open', () => resolve(client))
      socket.once('error', reject)
    })
  }

  send(message: unknown) {
    this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message))
  }

  subscribe(tokens: readonly string[], more: Record<string, unknown> = {}) {
    this.send({ assets_ids: tokens, type: 'market', ...more })
  }

  terminate() {
    this.#socket.terminate()
  }

  messages(): Message[] {
    return this.frames.filter((text) => /^[{[]/.test(text)).flatMap((text): Message[] => JSON.parse(text))
  }

  books(index: number): Message[] {
    const text = this.frames[index] ?? ''
    return text.startsWith('[') ? JSON.parse(text) : []
  }

  texts(type: string): number {
    return this.frames.filter((text) => text.includes(`"event_type":"${type}"`)).length
  }

  /** Resolves once the frames so far satisfy a condition. */
  until(condition: () => boolean, limitMs = 5_000): Promise<void> {
    if (condition()) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const check = () => {
        if (!condition()) return
        clearTimeout(timer)
        this.#waiting.delete(check)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(check)
        reject(
          new Error(
            `not within ${limitMs} ms; last frames: ${this.frames.slice(-3).join('\n').slice(0, 600)}`
          )
        )
      }, limitMs)
      this.#waiting.add(check)
    })
  }
}

/** Builds books from frames alone and checks each group's hash with the last trade that it implies. */
class Follower {
  readonly problems: string[] = []
  readonly counts = new Map<string, number>()
  verified = 0
  readonly #expectsBest: boolean
  readonly #told = new Map<string, string>()
  readonly #books = new Map<string, { dump: Message; book: Book }>()
  readonly #groups = new Map<string, { message: Message; changes: Change[] }>()

  constructor(expectsBest: boolean) {
    this.#expectsBest = expectsBest
  }

  readAll(texts: string[]): this {
    for (const text of texts) this.read(text)
    return this
  }

  read(text: string) {
    if (!/^[{[]/.test(text)) return
    const value: Message | Message[] = JSON.parse(text)
    for (const message of Array.isArray(value) ? value : [value]) this.#take(message)
  }

  levels(tokenId: string) {
    for (const asset of this.#groups.keys()) this.#endGroup(asset)
    const kept = this.#books.get(tokenId)
    return kept === undefined ? undefined : levelsOf(kept.book)
  }

  #take(message: Message) {
    this.counts.set(message.event_type, (this.counts.get(message.event_type) ?? 0) + 1)
    if (message.event_type === 'book') this.#takeBook(message)
    if (message.event_type === 'best_bid_ask') {
      const best = `${message.best_bid} ${message.best_ask}`
      if (this.#told.get(message.asset_id) === best) this.problems.push(`told again: ${best}`)
      this.#told.set(message.asset_id, best)
    }
    if (message.event_type === 'tick_size_change') {
      const kept = this.#books.get(message.asset_id)
      if (kept !== undefined) kept.dump.tick_size = String(message.new_tick_size)
    }
    for (const change of message.price_changes ?? []) {
      const kept = this.#books.get(change.asset_id)
      if (kept === undefined) continue
      const group = this.#groups.get(change.asset_id)
      if (
        group &&
        (group.message.timestamp !== message.timestamp || group.changes[0]?.hash !== change.hash)
      ) {
        this.#endGroup(change.asset_id)
      }
      applyChange(kept.book, change)
      const told = this.#told.get(change.asset_id)
      if (told !== undefined && told !== `${change.best_bid} ${change.best_ask}`) {
        this.problems.push(`best_bid_ask of ${change.asset_id} at ${message.timestamp} was ${told}`)
      }
      const open = this.#groups.get(change.asset_id)
      if (open) open.changes.push(change)
      else this.#groups.set(change.asset_id, { message, changes: [change] })
    }
  }

  #takeBook(message: Message) {
    const kept = this.#books.get(message.asset_id)
    if (kept !== undefined && message.last_trade_price === undefined) {
      this.#endGroup(message.asset_id)
      if (JSON.stringify(levelsOf(kept.book)) !== JSON.stringify(levelsOf(toBook(message)))) {
        this.problems.push(`the book after a match differs: ${message.asset_id}`)
      }
      return
    }
    const book = toBook(message)
    this.#books.set(message.asset_id, { dump: message, book })
    const { bids, asks } = levelsOf(book)
    // What a dump shows is told already: the first `best_bid_ask` must differ from it.
    if (this.#expectsBest) this.#told.set(message.asset_id, `${bids[0]?.[0] ?? '0'} ${asks[0]?.[0] ?? '1'}`)
  }

  #endGroup(assetId: string) {
    const group = this.#groups.get(assetId)
    const kept = this.#books.get(assetId)
    this.#groups.delete(assetId)
    const last = group?.changes.at(-1)
    if (group === undefined || kept === undefined || last === undefined) return
    const candidates = [
      kept.dump.last_trade_price ?? '',
      ...group.changes.flatMap(({ price }) => tradeTexts(price))
    ]
    const found = candidates.find((lastTrade) =>
      [false, true].some(
        (negRisk) =>
          hashMessage({ ...kept.dump, last_trade_price: lastTrade }, kept.book, group.message, negRisk) ===
          last.hash
      )
    )
    if (found === undefined) this.problems.push(`hash of ${assetId} at ${group.message.timestamp}`)
    else kept.dump.last_trade_price = found
    const levels = levelsOf(kept.book)
    if (last.best_bid !== (levels.bids[0]?.[0] ?? '0') || last.best_ask !== (levels.asks[0]?.[0] ?? '1')) {
      this.problems.push(`best prices of ${assetId} at ${group.message.timestamp}`)
    }
    this.verified += 1
  }
}

/** The last trade is the market's: on the second token it is the mirror of the price that was taken. */
function tradeTexts(price: string): string[] {
  const thousandths = Math.round(Number(price) * 1_000)
  return [thousandths, 1_000 - thousandths].map((one) => (one / 1_000).toFixed(3))
}

function toBook(message: Message): Book {
  const side = (levels: Level[]) => new Map(levels.map(({ price, size }) => [price, size]))
  return { bids: side(message.bids), asks: side(message.asks) }
}

function applyChange(book: Book, { side, price, size }: Change) {
  const levels = side === 'BUY' ? book.bids : book.asks
  if (size === '0') levels.delete(price)
  else levels.set(price, size)
}

/** Best first. */
function levelsOf(book: Book): { bids: [string, string][]; asks: [string, string][] } {
  return {
    bids: [...book.bids].sort((a, b) => Number(b[0]) - Number(a[0])),
    asks: [...book.asks].sort((a, b) => Number(a[0]) - Number(b[0]))
  }
}

/** The true book of one token, worked out here from the model's integers. */
function truth(market: SimMarket, outcome: 0 | 1) {
  const text = (levels: Map<number, number>, mirrored: boolean): Map<string, string> =>
    new Map(
      [...levels].map(([price, size]) => [
        String(Number(((mirrored ? 10_000 - price : price) / 10_000).toFixed(4))),
        String(Number((size / 1_000_000).toFixed(6)))
      ])
    )
  const { bids, asks } = market.book
  return levelsOf(
    outcome === 0
      ? { bids: text(bids, false), asks: text(asks, false) }
      : { bids: text(asks, true), asks: text(bids, true) }
  )
}

function hashMessage(dump: Message, book: Book, at: Message, negRisk: boolean): string {
  const { bids, asks } = levelsOf(book)
  const text = (levels: [string, string][]) =>
    levels
      .reverse()
      .map(([price, size]) => JSON.stringify({ price, size }))
      .join(',')
  return hashBook({
    market: dump.market,
    assetId: dump.asset_id,
    timestamp: at.timestamp,
    bids: text(bids),
    asks: text(asks),
    minOrderSize: '5',
    tickSize: dump.tick_size ?? '',
    negRisk,
    lastTradePrice: dump.last_trade_price ?? ''
  })
}

/** The bytes of a frame without its values. */
function skeleton(text: string): string {
  return text.replace(/:"[^"]*"/g, ':""')
}

function firstMarket(world: World): SimMarket {
  const [market] = world.markets('polymarket')
  if (market === undefined) throw new Error('no market')
  return market
}

function stepUntil(world: World, condition: (happening: ReturnType<World['step']>) => boolean) {
  for (let step = 0; step < 20_000; step++) {
    const happening = world.step('polymarket')
    if (condition(happening)) return happening
  }
  throw new Error('it did not happen in 20,000 steps')
}

function moveUntil(world: World, condition: () => boolean) {
  for (let step = 0; step < 200 && !condition(); step++) world.step('polymarket')
}
