import { writeFileSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { type Simulator, type SimulatorOptions, startSimulator } from '../../simulator/index.ts'
import { checkOptions, completeOptions, DEFAULT_OPTIONS } from '../../simulator/options.ts'

t.test('starts both venues on loopback and stops without a trace', async (t) => {
  const { simulator, ask } = await start(t)
  for (const url of [
    simulator.kalshi.httpBase,
    simulator.polymarket.clobBase,
    simulator.polymarket.gammaBase
  ]) {
    t.match(url, /^http:\/\/127\.0\.0\.1:\d+/)
  }
  t.match(simulator.kalshi.privateKeyPem, /^-----BEGIN PRIVATE KEY-----/)
  const state = await ask('GET', '/state')
  t.match(state.json, {
    seed: 4,
    running: false,
    rate: 50,
    model: { kalshi: { markets: { active: 12 } }, polymarket: { markets: { active: 12 } } },
    wires: { kalshi: { connections: 0 }, polymarket: { connections: [] } },
    faults: []
  })
  await simulator.stop()
  await t.rejects(fetch(`${simulator.controlUrl}/state`))
  await t.rejects(fetch(`${simulator.polymarket.clobBase}/ok`))
})

t.test('the true books in canonical text, best first', async (t) => {
  const { simulator, ask } = await start(t)
  for (const venue of ['kalshi', 'polymarket'] as const) {
    const books = (await ask('GET', `/books/${venue}`)).json as unknown as TrueBook[]
    t.equal(books.length, 12)
    for (const book of books) {
      t.same(
        book.bids,
        [...book.bids].sort((a, b) => Number(b[0]) - Number(a[0]))
      )
      t.same(
        book.asks,
        [...book.asks].sort((a, b) => Number(a[0]) - Number(b[0]))
      )
      t.ok([...book.bids, ...book.asks].flat().every((text) => /^(0|[1-9]\d*)(\.\d*[1-9])?$/.test(text)))
      t.ok(Number(book.bids[0]?.[0] ?? 0) < Number(book.asks[0]?.[0] ?? 1))
    }
    const [first] = books
    t.same((await ask('GET', `/books/${venue}/${encodeURIComponent(first?.marketId ?? '')}`)).json, first)
    const held = simulator.world.market(venue, first?.marketId ?? '')
    t.equal(held?.book.bids.size, first?.bids.length)
  }
})

t.test('rate, pause and resume', async (t) => {
  const { simulator, ask } = await start(t)
  const { world } = simulator
  t.match((await ask('POST', '/rate', { perSecond: 2_000 })).json, { rate: 2_000 })
  t.match((await ask('POST', '/resume')).json, { running: true })
  await new Promise<void>((resolve) => {
    const stop = world.onHappening(() => {
      if (world.happenings('kalshi') < 20 || world.happenings('polymarket') < 20) return
      stop()
      resolve()
    })
  })
  t.match((await ask('POST', '/pause')).json, { running: false })
  const before = JSON.stringify((await ask('GET', '/books/kalshi')).json)
  await new Promise((resolve) => setTimeout(resolve, 60))
  t.equal(JSON.stringify((await ask('GET', '/books/kalshi')).json), before, 'a paused model stands still')
})

t.test('the life of a market by hand', async (t) => {
  const { simulator, ask } = await start(t)
  for (const venue of ['kalshi', 'polymarket'] as const) {
    const listed = (await ask('POST', `/markets/${venue}`)).json
    const path = `/markets/${venue}/${encodeURIComponent(String(listed.id))}`
    t.equal(listed.status, 'active')
    t.match((await ask('POST', `${path}/pause`)).json, { status: 'paused' })
    t.match(await ask('POST', `${path}/pause`), { status: 400, json: { error: /is paused/ } })
    t.match((await ask('POST', `${path}/resume`)).json, { status: 'active' })
    t.match((await ask('POST', `${path}/tick`, { tick: '0.001' })).json, { tickE4: 10 })
    t.match((await ask('POST', `${path}/close`)).json, { status: 'closed' })
    t.match(await ask('POST', `${path}/settle`, { result: 'maybe' }), { status: 400 })
    t.match((await ask('POST', `${path}/settle`, { result: 'no' })).json, { status: 'settled', result: 'no' })
    t.match(await ask('POST', `${path}/settle`, { result: 'no' }), { status: 400 })
    t.match(await ask('POST', `${path}/melt`), { status: 404 })
    t.equal(simulator.world.market(venue, String(listed.id))?.result, 'no')
    const all = (await ask('GET', `/markets/${venue}`)).json as unknown as { id: string }[]
    t.ok(all.some(({ id }) => id === listed.id))
  }
})

t.test('each fault of the catalogue is one call', async (t) => {
  const { simulator, ask } = await start(t)
  const catalogue = (await ask('GET', '/faults')).json as unknown as {
    name: string
    venues: string[]
    description: string
    required?: string[]
    values?: Record<string, (string | number)[]>
  }[]
  t.ok(catalogue.length >= 30)
  const market = simulator.world.markets('polymarket')[0]?.id
  const samples: Record<string, unknown> = { ms: 50, code: 10, form: 'empty', assets: 2, market, text: 'hm' }
  for (const { name, venues, description, required = [], values = {} } of catalogue) {
    t.match(description, /\.$/, name)
    const parameters = Object.fromEntries(required.map((key) => [key, values[key]?.[0] ?? samples[key]]))
    const set = await ask('POST', '/faults', { name, ...parameters })
    t.equal(set.status, 200, `${name}: ${set.text}`)
    t.equal((set.json as unknown as unknown[]).length, venues.length, `${name} on ${venues.join(' and ')}`)
  }
  t.equal(
    simulator.faults.rules().length,
    catalogue.reduce((sum, { venues }) => sum + venues.length, 0)
  )

  await ask('DELETE', '/faults/drop_delta?venue=kalshi')
  t.equal(simulator.faults.active('kalshi', 'drop_delta'), undefined)
  t.ok(simulator.faults.active('polymarket', 'drop_delta'))
  t.same((await ask('DELETE', '/faults')).json, { faults: [] })
})

t.test('firings are counted, and a count runs out', async (t) => {
  const { simulator, ask } = await start(t)
  await ask('POST', '/faults', { name: 'rest_status', venue: 'polymarket', status: 500, count: 2 })
  const statuses = []
  for (let call = 0; call < 3; call++)
    statuses.push((await fetch(`${simulator.polymarket.clobBase}/ok`)).status)
  t.same(statuses, [500, 500, 200])
  t.match((await ask('GET', '/state')).json, { faults: [], fired: { 'polymarket:rest_status': 2 } })
})

t.test('auto sets passing faults until it is cleared', async (t) => {
  const { simulator, ask } = await start(t)
  const { faults } = simulator
  const set = new Promise<string>((resolve) => faults.onSet(({ name }) => name !== 'auto' && resolve(name)))
  await ask('POST', '/faults', { name: 'auto', venue: 'polymarket', ms: 10 })
  t.ok(await set)
  t.ok(faults.fired('polymarket', 'auto') >= 1)
  t.equal(faults.fired('kalshi', 'auto'), 0)
})

t.test('bad input is answered with a sentence', async (t) => {
  const { simulator, ask } = await start(t)
  const cases: [string, string, unknown, number, RegExp][] = [
    ['POST', '/faults', { name: 'gremlin' }, 400, /"name" must be one of/],
    ['POST', '/faults', { name: 'drop_delta', venue: 'nyse' }, 400, /"venue" must be kalshi or polymarket/],
    [
      'POST',
      '/faults',
      { name: 'wire_form', venue: 'polymarket', form: 'cents' },
      400,
      /does not exist on polymarket/
    ],
    ['POST', '/faults', { name: 'wire_form' }, 400, /needs the parameter "form"/],
    ['POST', '/faults', { name: 'wire_form', form: 'runes' }, 400, /one of fixed, transition, cents/],
    [
      'POST',
      '/faults',
      { name: 'drop_delta', count: 'two' },
      400,
      /"count" of drop_delta must be an integer/
    ],
    ['POST', '/faults', { name: 'drop_delta', count: 0 }, 400, /must be 1 or more/],
    ['POST', '/faults', { name: 'drop_delta', colour: 'red' }, 400, /takes no parameter "colour"/],
    ['POST', '/faults', { name: 'mute_market', market: 'nowhere' }, 400, /names no market/],
    ['DELETE', '/faults/gremlin', undefined, 400, /is no fault/],
    ['POST', '/rate', { perSecond: -1 }, 400, /"perSecond" must be a number/],
    ['POST', '/rate', [1], 400, /must be a JSON object/],
    ['POST', '/rate', '{', 400, /is no JSON/],
    ['GET', '/books', undefined, 400, /"venue" must be/],
    ['GET', '/books/kalshi/NOPE', undefined, 404, /has no market NOPE/],
    ['PUT', '/state', {}, 404, /There is no PUT \/state/]
  ]
  for (const [method, path, body, status, sentence] of cases) {
    t.match(await ask(method, path, body), { status, json: { error: sentence } }, `${method} ${path}`)
  }
  t.equal((await ask('GET', '/books/kalshi/%E0%A4%A')).status, 400)
  t.same(simulator.faults.rules(), [])
})

t.test('options are checked, one sentence each', async (t) => {
  t.same(checkOptions({}), [])
  t.same(completeOptions({ seed: 9 }), { ...DEFAULT_OPTIONS, seed: 9 })
  t.same(checkOptions({ seed: 1.5, sharedShare: 2, rate: Number.NaN }), [
    'seed must be an integer from -2147483648 to 4294967295, not 1.5.',
    'sharedShare must be a number from 0 to 1, not 2.',
    'rate must be a number from 0 to 100000, not NaN.'
  ])
  t.match(checkOptions({ speed: 1 } as SimulatorOptions), ['speed is no option of the simulator.'])
  t.match(checkOptions({ replay: { venue: 'kalshi', file: '/no/such', speed: -1 } }), [
    /does not exist/,
    /speed/
  ])
  await t.rejects(startSimulator({ marketsPerVenue: 0 }), /marketsPerVenue must be/)
})

t.test('a taken port fails the start and leaves nothing running', async (t) => {
  const { taken, port } = await takePortAfterFree()
  t.teardown(() => taken.close())
  await t.rejects(startSimulator({ port: port - 1, marketsPerVenue: 2 }), { code: 'EADDRINUSE' })
  const probe = await listen(port - 1)
  t.ok(probe, 'the port of Kalshi, which had started, is free again')
  probe?.close()
})

t.test('a recording reaches clients of its venue', async (t) => {
  const file = join(t.testdir({}), 'frames.jsonl')
  writeFileSync(file, '{"received_ms":1,"frame":{"hello":"there"}}\n')
  const { simulator } = await start(t, { replay: { venue: 'polymarket', file, speed: 0 } })
  const socket = new WebSocket(simulator.polymarket.wsUrl)
  const frame = await new Promise((resolve, reject) => {
    socket.on('open', () => socket.send('{"assets_ids":[],"type":"market"}'))
    socket.on('message', (data) => resolve(String(data)))
    socket.on('error', reject)
  })
  socket.terminate()
  t.equal(frame, '{"hello":"there"}')
})

interface TrueBook {
  marketId: string
  bids: [string, string][]
  asks: [string, string][]
}

/** Takes a port whose predecessor is free. */
async function takePortAfterFree() {
  for (;;) {
    const taken = await listen(0)
    if (taken === undefined) throw new Error('no port is free')
    const { port } = taken.address() as AddressInfo
    const before = await listen(port - 1)
    if (before !== undefined) {
      await new Promise((resolve) => before.close(resolve))
      return { taken, port }
    }
    taken.close()
  }
}

function listen(port: number): Promise<Server | undefined> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(undefined))
    server.listen(port, '127.0.0.1', () => resolve(server))
  })
}

async function start(t: Test, options: SimulatorOptions = {}) {
  const simulator: Simulator = await startSimulator({
    seed: 4,
    marketsPerVenue: 12,
    rate: 50,
    churnMs: 0,
    openDelayMs: 0,
    running: false,
    ...options
  })
  t.teardown(() => simulator.stop())
  const ask = async (method: string, path: string, body?: unknown) => {
    const init: RequestInit = { method }
    if (body !== undefined) init.body = typeof body === 'string' ? body : JSON.stringify(body)
    const response = await fetch(`${simulator.controlUrl}${path}`, init)
    const text = await response.text()
    const json: Record<string, unknown> = JSON.parse(text)
    return { status: response.status, text, json }
  }
  return { simulator, ask }
}
