import { once } from 'node:events'
import http from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { gunzipSync } from 'node:zlib'
import type { FastifyInstance } from 'fastify'
import t, { type Test } from 'tap'
import type { MarketAggregate, MarketIndexEntry, MarketPage } from '../../schemas/market.ts'
import { FRAGMENT_BYTES } from '../../services/snapshots/fragments.ts'
import { build, market, RECEIVED_AT_MS, serve } from '../helper.ts'

async function served(t: Test, count: number, overrides = {}): Promise<FastifyInstance> {
  const app = await build(t, overrides)
  for (let n = 0; n < count; n++) serve(app.snapshotStore, market(n))
  return app
}

t.test('GET /v1/markets', async (t) => {
  const app = await served(t, 120)
  const get = async (query: string): Promise<MarketPage> => (await app.inject(`/v1/markets${query}`)).json()
  const ids = (page: MarketPage) => page.items.map(({ id }) => id.slice(-4))

  t.test('answers a page with books in YES terms, quotes of both outcomes and the verdict', async (t) => {
    const page = await get('')
    t.match(page, { page: 1, pageSize: 50, total: 120 })
    t.equal(page.items.length, 50)
    const [first] = page.items as [MarketAggregate]
    t.same(first.market, market(0))
    t.equal(first.orderBook.bids.length, 10)
    t.same(first.orderBook.bids[1], { price: '0.39', size: '3' })
    t.same(first.orderBook.asks[0], { price: '0.45', size: '2.000001' })
    t.same(first.quotes, {
      usable: true,
      yes: {
        bestBid: '0.4',
        bestBidSize: '1.5',
        bestAsk: '0.45',
        bestAskSize: '2.000001',
        mid: '0.425',
        spread: '0.05'
      },
      no: {
        bestBid: '0.55',
        bestBidSize: '2.000001',
        bestAsk: '0.6',
        bestAskSize: '1.5',
        mid: '0.575',
        spread: '0.05'
      }
    })
    t.same(first.summary, {
      yes: { bid: '0.4', ask: '0.45', volume: '1000' },
      no: { bid: '0.55', ask: '0.6', volume: '1000' }
    })
    t.same(first.verdict, {
      state: 'live',
      reason: null,
      source: 'websocket',
      sequence: 7,
      venueTime: '2026-11-20T12:34:56.784Z',
      receivedAt: '2026-11-20T12:34:56.789Z',
      verifiedAt: null,
      mismatches: 0
    })
    t.equal(first.lastUpdatedMs, RECEIVED_AT_MS)
  })

  t.test('pages without a gap or an overlap, and answers an empty page beyond the last', async (t) => {
    const seen = new Set<string>()
    for (let page = 1; page <= 5; page++)
      for (const id of ids(await get(`?page=${page}&pageSize=25`))) seen.add(id)
    t.equal(seen.size, 120)
    t.same(ids(await get('?page=5&pageSize=25')).length, 20)
    t.match(await get('?page=99&pageSize=25'), { page: 99, total: 120, items: [] })
    t.equal((await get('?pageSize=500')).items.length, 120)
  })

  t.test('gives as many levels as are asked for, at every depth the same otherwise', async (t) => {
    const [ten] = (await get('?pageSize=1')).items as [MarketAggregate]
    for (const depth of [0, 1, 3, 10, 11, 100]) {
      const [item] = (await get(`?pageSize=1&depth=${depth}`)).items as [MarketAggregate]
      t.equal(item.orderBook.bids.length, Math.min(depth, 15), `depth ${depth}`)
      t.same({ ...item, orderBook: null }, { ...ten, orderBook: null })
    }
  })

  t.test('filters and sorts', async (t) => {
    serve(app.snapshotStore, market(900, { venue: 'polymarket', title: 'Über alles', volume24h: null }))
    app.snapshotStore.patch(market(3).id, { status: 'halted' })
    t.teardown(() => {
      app.snapshotStore.remove(market(900).id)
      app.snapshotStore.patch(market(3).id, { status: 'open' })
    })
    t.same(ids(await get('?venue=polymarket')), ['0900'])
    t.same(ids(await get('?status=halted')), ['0003'])
    t.same(ids(await get('?state=halted')), ['0003'])
    t.same(ids(await get('?q=%C3%BCBER')), ['0900'])
    t.same(ids(await get('?q=kxtest-0042')), ['0042'])
    t.same(ids(await get('?sort=-volume24h&pageSize=2')), ['0119', '0118'])
    t.same(ids(await get('?sort=-volume24h&page=121&pageSize=1')), ['0900'], 'without the key: last')
    t.same(ids(await get('?sort=closeTime&pageSize=2')), ['0000', '0001'])
    t.same(ids(await get('?venue=kalshi&status=open&state=live&q=number+11&pageSize=3')), [
      '0011',
      '0110',
      '0111'
    ])
    t.equal((await get('?state=stale')).total, 0)
  })

  t.test('a market whose source changes goes from one list to the other', async (t) => {
    const { books } = app.snapshotStore
    const { slot } = app.snapshotStore.get(market(7).id) as { slot: number }
    const setSource = (source: 'websocket' | 'poll') => {
      books.setSource(slot, source)
      books.touch(slot)
    }
    t.teardown(() => setSource('websocket'))
    t.same([(await get('?source=poll')).total, (await get('?source=websocket')).total], [0, 120])
    setSource('poll')
    t.match(await get('?source=poll'), {
      total: 1,
      items: [{ id: market(7).id, verdict: { source: 'poll' } }]
    })
    t.equal((await get('?source=websocket')).total, 119)
    t.equal((await get('?source=poll&state=live')).total, 1)
    const lines = await app.inject('/v1/markets.ndjson?source=poll')
    t.equal(JSON.parse(lines.body).id, market(7).id)
    setSource('websocket')
    t.same([(await get('?source=poll')).total, (await get('?source=websocket')).total], [0, 120])
  })

  t.test('refuses what it does not understand and names the parameter', async (t) => {
    for (const [query, name] of [
      ['page=0', 'page'],
      ['page=x', 'page'],
      ['pageSize=0', 'pageSize'],
      ['pageSize=501', 'pageSize'],
      ['depth=-1', 'depth'],
      ['depth=101', 'depth'],
      ['depth=1.5', 'depth'],
      ['venue=nyse', 'venue'],
      ['status=odd', 'status'],
      ['state=odd', 'state'],
      ['source=rest', 'source'],
      ['sort=volume', 'sort'],
      ['q=', 'q'],
      ['pagesize=10', 'pagesize']
    ]) {
      const response = await app.inject(`/v1/markets?${query}`)
      t.equal(response.statusCode, 400, `?${query}`)
      const { code, message } = response.json()
      t.equal(code, 'BAD_REQUEST')
      t.match(message, new RegExp(`^query parameter ${name} `))
    }
  })

  t.test('bounds the depth by MAX_BOOK_DEPTH', async (t) => {
    const shallow = await served(t, 1, { MAX_BOOK_DEPTH: 5 })
    t.equal((await shallow.inject('/v1/markets')).json().items[0].orderBook.bids.length, 5, 'also by default')
    t.equal((await shallow.inject('/v1/markets?depth=6')).statusCode, 400)
  })

  t.test('a market too long for its cell goes the plain way', async (t) => {
    const long = market(5, { title: 'é'.repeat(FRAGMENT_BYTES) })
    app.snapshotStore.put(long, '')
    t.teardown(() => app.snapshotStore.put(market(5), ''))
    for (const encoding of ['identity', 'gzip']) {
      const response = await app.inject({ url: '/v1/markets', headers: { 'accept-encoding': encoding } })
      const text = encoding === 'gzip' ? gunzipSync(response.rawPayload).toString() : response.body
      t.same(JSON.parse(text).items[5].market, long)
    }
  })
})

t.test('validators and compression', async (t) => {
  const app = await served(t, 120)
  const URLS = [
    '/v1/markets',
    '/v1/markets?depth=3',
    '/v1/markets?pageSize=100',
    '/v1/markets/index',
    `/v1/markets/${market(1).id}`
  ]
  const ask = (url: string, headers = {}) => app.inject({ url, headers })

  t.test('an unchanged answer is 304 in whichever coding the client holds it', async (t) => {
    for (const url of URLS) {
      const plain = await ask(url)
      const { etag } = plain.headers
      t.match(etag, /^"[0-9a-z]{14}"$/)
      t.equal(plain.headers['cache-control'], 'no-cache')
      t.match(plain.headers.vary, /accept-encoding/)
      const zipped = await ask(url, { 'accept-encoding': 'gzip' })
      t.equal(zipped.headers['content-encoding'], 'gzip', url)
      t.match(zipped.headers.vary, /accept-encoding/)
      const zippedTag = `${String(etag).slice(0, -1)}-gzip"`
      t.equal(zipped.headers.etag, zippedTag, 'other bytes, another tag')
      t.equal(gunzipSync(zipped.rawPayload).toString(), plain.body, url)
      for (const [held, tag] of [
        [etag, etag],
        [zippedTag, zippedTag],
        [`W/${etag}`, etag],
        [`"other", ${zippedTag}`, zippedTag],
        ['*', etag]
      ]) {
        const response = await ask(url, { 'if-none-match': held, 'accept-encoding': 'gzip' })
        t.equal(response.statusCode, 304, `${url} ${held}`)
        t.equal(response.body, '')
        t.equal(response.headers.etag, tag)
      }
      t.equal((await ask(url, { 'if-none-match': '"other"' })).statusCode, 200)
    }
  })

  t.test('a change of what is shown makes a new tag, and a page elsewhere keeps its own', async (t) => {
    const tags = async () => Promise.all(URLS.map(async (url) => (await ask(url)).headers.etag))
    const elsewhere = (await ask('/v1/markets?page=2')).headers.etag
    const before = await tags()
    t.same(await tags(), before)
    const { slot } = app.snapshotStore.get(market(1).id) as { slot: number }
    app.snapshotStore.books.arena.setLevel(slot, 0, 4_050, 1_000_000)
    app.snapshotStore.books.touch(slot)
    const after = await tags()
    for (const [index, url] of URLS.entries()) t.not(after[index], before[index], url)
    t.equal((await ask('/v1/markets?page=2')).headers.etag, elsewhere)
    t.equal(new Set(after).size, URLS.length)
  })

  t.test('serves gzip by RFC 9110: where it is accepted, weights observed', async (t) => {
    for (const [header, wanted] of [
      ['gzip', 'gzip'],
      ['GZIP;q=0.5', 'gzip'],
      ['br, gzip;q=0.8, *;q=0.1', 'gzip'],
      ['*', 'gzip'],
      ['x-gzip', 'gzip'],
      ['gzip;q=0', undefined],
      ['*;q=0', undefined],
      ['gzip;q=nonsense', undefined],
      ['identity, gzip;q=0.5', undefined],
      ['br', undefined],
      ['', undefined]
    ]) {
      const response = await ask('/v1/markets', { 'accept-encoding': header })
      t.equal(response.headers['content-encoding'], wanted, JSON.stringify(header))
    }
  })

  t.test('HEAD answers the headers of GET without a body', async (t) => {
    for (const url of [...URLS, '/v1/markets.ndjson']) {
      const get = await ask(url)
      const head = await app.inject({ method: 'HEAD', url })
      t.equal(head.statusCode, 200, url)
      t.equal(head.body, '')
      t.equal(head.headers.etag, get.headers.etag)
      t.equal(head.headers['content-type'], get.headers['content-type'])
      if (get.headers['content-length'] !== undefined) {
        t.equal(head.headers['content-length'], get.headers['content-length'])
      }
    }
  })
})

t.test('hot pages over real sockets are whole, however many go out at once', async (t) => {
  const app = await served(t, 200)
  await app.listen({ port: 0, host: '127.0.0.1' })
  const { port } = app.server.address() as AddressInfo
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 })
  t.teardown(() => agent.destroy())
  const get = (path: string) =>
    new Promise<string>((resolve, reject) => {
      http
        .get({ port, path, agent }, (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('end', () => resolve(Buffer.concat(chunks).toString()))
          response.on('error', reject)
        })
        .on('error', reject)
    })
  const check = async (page: number, round: number) => {
    const body: MarketPage = JSON.parse(await get(`/v1/markets?pageSize=20&page=${page}&q=number`))
    const wanted = Array.from({ length: 20 }, (_, index) => market((page - 1) * 20 + index).id)
    if (body.page !== page || body.items.map(({ id }) => id).join() !== wanted.join()) {
      throw new Error(`page ${page} of round ${round} is not whole`)
    }
  }
  for (let round = 0; round < 20; round++) {
    for (const record of app.snapshotStore.records()) app.snapshotStore.books.touch(record.slot)
    await Promise.all(Array.from({ length: 30 }, (_, n) => check((n % 10) + 1, round)))
  }
  t.pass('600 pages')

  t.test('pages that wait behind one another on one connection keep their bytes', async (t) => {
    const socket = connect(port, '127.0.0.1')
    const pages = Array.from({ length: 10 }, (_, n) => n + 1)
    const path = (page: number) => `/v1/markets?pageSize=20&page=${page}&q=will`
    const request = (page: number) => `GET ${path(page)} HTTP/1.1\r\nHost: test\r\n`
    const asked = pages.map((page) => `${request(page)}${page === 10 ? 'Connection: close\r\n' : ''}\r\n`)
    socket.end(asked.join(''))
    const answer = Buffer.concat(await socket.toArray()).toString()
    const bodies = answer.split(/(?=HTTP\/1\.1 200)/).map((one) => one.slice(one.indexOf('\r\n\r\n') + 4))
    t.equal(bodies.length, 10)
    for (const [index, body] of bodies.entries())
      t.equal(body, await get(path(index + 1)), `page ${index + 1}`)
  })

  t.test('a client that leaves in the middle disturbs nobody', async () => {
    for (let n = 0; n < 20; n++) {
      const request = http.get({ port, path: '/v1/markets?pageSize=200' })
      request.on('error', () => {})
      const [response] = (await once(request, 'response')) as [http.IncomingMessage]
      response.on('error', () => {})
      request.destroy()
      await check((n % 10) + 1, n)
    }
  })
})

t.test('GET /v1/markets/{id}', async (t) => {
  const app = await served(t, 3)
  const { id } = market(1)
  const response = await app.inject(`/v1/markets/${id}`)
  t.match(response.json(), {
    id,
    market: market(1),
    rules: 'It settles by the rules.',
    verdict: { state: 'live' }
  })
  t.equal(response.json().orderBook.bids.length, 10)
  t.equal(
    (await app.inject(`/v1/markets/${encodeURIComponent(id)}?depth=12`)).json().orderBook.asks.length,
    12
  )
  for (const unknown of ['kalshi:NOPE', 'NOPE', `kalshi:${'N'.repeat(200)}`]) {
    const missing = await app.inject(`/v1/markets/${unknown}`)
    t.equal(missing.statusCode, 404)
    t.match(missing.json(), { statusCode: 404, code: 'MARKET_NOT_FOUND', error: 'Not Found' })
  }
  t.match((await app.inject(`/v1/markets/${id}?depth=101`)).json().message, /^query parameter depth /)
  t.match((await app.inject(`/v1/markets/${id}?page=1`)).json().message, /^query parameter page /)
})

t.test('GET /v1/markets/index', async (t) => {
  const app = await served(t, 3)
  const entries: MarketIndexEntry[] = (await app.inject('/v1/markets/index')).json()
  t.same(
    entries,
    [0, 1, 2].map((n) => ({
      id: market(n).id,
      symbol: market(n).symbol,
      venue: 'kalshi',
      title: market(n).title,
      state: 'live',
      lastUpdatedMs: RECEIVED_AT_MS
    }))
  )
  t.equal((await app.inject('/v1/markets/index?page=1')).statusCode, 400)
})

t.test('GET /v1/markets.ndjson', async (t) => {
  const app = await served(t, 200)
  const lines = async (query: string, headers = {}) => {
    const response = await app.inject({ url: `/v1/markets.ndjson${query}`, headers })
    t.equal(response.headers['content-type'], 'application/x-ndjson')
    const text =
      response.headers['content-encoding'] === 'gzip' ? gunzipSync(response.rawPayload) : response.body
    return text
      .toString()
      .split('\n')
      .slice(0, -1)
      .map((line) => JSON.parse(line))
  }

  t.test('is every market that matches, one a line, as the list tells it', async (t) => {
    const list: MarketPage = (await app.inject('/v1/markets?pageSize=500')).json()
    t.same(await lines(''), list.items)
    t.same(await lines('', { 'accept-encoding': 'gzip' }), list.items)
    t.equal((await lines('?q=number+11&depth=2'))[1].orderBook.bids.length, 2)
    t.same(await lines('?venue=polymarket'), [])
    t.equal((await app.inject('/v1/markets.ndjson?page=1')).statusCode, 400)
  })

  t.test('stops when the client goes, and waits while it does not read', async (t) => {
    // 36 MB: more than any kernel's buffers take for a client that does not read.
    const title = 'long '.repeat(4_000)
    for (let n = 200; n < 2_000; n++) serve(app.snapshotStore, market(n, { title }))
    await app.listen({ port: 0, host: '127.0.0.1' })
    const { port } = app.server.address() as AddressInfo
    const connected = once(app.server, 'connection')
    const request = http.get({ port, path: '/v1/markets.ndjson?depth=100' })
    request.on('error', () => {})
    const [socket] = (await connected) as [Socket]
    const [response] = (await once(request, 'response')) as [http.IncomingMessage]
    response.on('error', () => {})
    response.pause()
    let written = -1
    // Until the kernel's buffers are full and a whole stretch of turns adds nothing.
    while (socket.bytesWritten !== written) {
      written = socket.bytesWritten
      await turns(500)
    }
    t.ok(socket.writableLength > 0, 'the client is behind')
    t.ok(socket.writableLength < 4 << 20, 'and little waits for it')
    request.destroy()
    await new Promise((resolve) => socket.once('close', resolve))
    t.ok(socket.destroyed)
  })
})

async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise(setImmediate)
}
