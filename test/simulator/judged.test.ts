import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { bookDigest } from '../../simulator/control/book-history.ts'
import { type Simulator, startSimulator } from '../../simulator/index.ts'

// What a judge outside needs of the simulator: past versions, who follows what, and one market at a time.

async function start(t: Test) {
  const simulator = await startSimulator({ seed: 4, marketsPerVenue: 6, running: false, churnMs: 0 })
  t.teardown(() => simulator.stop())
  const ask = async <Answer>(method: string, path: string, body?: object) =>
    (await (
      await fetch(`${simulator.controlUrl}${path}`, {
        method,
        ...(body ? { body: JSON.stringify(body) } : {})
      })
    ).json()) as Answer
  return { simulator, ask }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 5))
}

interface Versions {
  marketId: string
  versions: { digest: string; fromMs: number; untilMs: number | null }[]
}

t.test('one market moves alone, and a hushed one only by hand', async (t) => {
  const { simulator, ask } = await start(t)
  const { world } = simulator
  for (const venue of ['kalshi', 'polymarket'] as const) {
    const [market] = world.markets(venue)
    const path = `/markets/${venue}/${encodeURIComponent(market?.id ?? '')}`
    const moved: string[] = []
    const unlisten = world.onHappening((happening) => moved.push(happening.market.id))
    await ask('POST', `${path}/act`)
    t.strictSame(moved, [market?.id])
    await ask('POST', `${path}/hush`)
    for (let step = 0; step < 200; step++) world.step(venue)
    t.equal(moved.filter((id) => id === market?.id).length, 1, 'hushed')
    await ask('POST', `${path}/act`)
    t.equal(moved.filter((id) => id === market?.id).length, 2, 'by hand')
    await ask('POST', `${path}/wake`)
    for (let step = 0; step < 200; step++) world.step(venue)
    t.ok(moved.filter((id) => id === market?.id).length > 2, 'awake')
    unlisten()
    t.match(await ask('POST', `${path}/quote`), { happening: 'levels' })
    await ask('POST', `${path}/close`)
    t.match(await ask('POST', `${path}/act`), { error: /closed/ })
  }
})

t.test('the versions of a book, the present one last', async (t) => {
  const { simulator, ask } = await start(t)
  const [market] = simulator.world.markets('kalshi')
  const of = async () =>
    (await ask<Versions[]>('GET', '/versions/kalshi')).find(({ marketId }) => marketId === market?.id)
      ?.versions ?? []
  const [first, ...none] = await of()
  t.match(first, { untilMs: null })
  t.equal(none.length, 0)
  if (market === undefined) throw new Error('no market')
  simulator.world.act(market)
  const versions = await of()
  t.equal(versions.length, 2)
  t.equal(versions[0]?.digest, first?.digest)
  t.equal(versions[0]?.untilMs, versions[1]?.fromMs)
  t.equal(versions[1]?.untilMs, null)
  const { bids, asks } = await ask<{ bids: [string, string][]; asks: [string, string][] }>(
    'GET',
    `/books/kalshi/${encodeURIComponent(market.id)}`
  )
  t.equal(versions[1]?.digest, bookDigest(bids, asks))
  t.not(bookDigest(bids, asks), bookDigest(bids, asks.slice(1)))
})

t.test('who follows which markets, and the frames that two new faults spoil', async (t) => {
  const { simulator, ask } = await start(t)
  for (const venue of ['kalshi', 'polymarket'] as const) {
    const market = simulator.world.markets(venue)[0]
    if (market === undefined) throw new Error('no market')
    const { frames } = await follow(t, simulator, venue, market.id, market.tokens)
    await until(async () => {
      const connections = await ask<{ id: number; markets: string[] }[]>('GET', `/connections/${venue}`)
      return connections[0]?.markets.includes(market.id) === true
    })
    const changes = () =>
      frames.filter((frame) => frame.includes('delta_fp') || frame.includes('price_changes'))

    simulator.faults.set(venue, 'extra_field', { market: market.id })
    while (changes().length === 0) {
      simulator.world.act(market)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    t.match(changes()[0]?.toString(), /"liquidity_hint":\{"tiers":\[1,null,"x"\]\}/)
    t.doesNotThrow(() => JSON.parse(changes()[0]?.toString() ?? ''), 'still JSON')

    simulator.faults.set(venue, 'invalid_utf8', { market: market.id })
    const isBroken = (frame: Buffer) => Buffer.compare(Buffer.from(frame.toString('utf8')), frame) !== 0
    while (!frames.some(isBroken)) {
      simulator.world.act(market)
      await new Promise((resolve) => setTimeout(resolve, 5))
    }
    t.equal(frames.filter(isBroken).length, 1)
    const { firings } = await ask<{ firings: Record<string, { count: number; firstMs: number }> }>(
      'GET',
      '/state'
    )
    t.match(firings[`${venue}:invalid_utf8`], { count: 1, firstMs: Number })
    simulator.faults.set(venue, 'invalid_utf8', { market: market.id })
    t.ok(
      Number.isNaN(simulator.faults.firings()[`${venue}:invalid_utf8`]?.firstMs),
      'not since it was set again'
    )
  }
})

/** Subscribes to one market as a client that takes any bytes. */
async function follow(
  t: Test,
  simulator: Simulator,
  venue: 'kalshi' | 'polymarket',
  id: string,
  tokens: readonly string[]
): Promise<{ frames: Buffer[] }> {
  const frames: Buffer[] = []
  const headers = venue === 'kalshi' ? await signed(simulator) : {}
  const url = venue === 'kalshi' ? simulator.kalshi.wsUrl : simulator.polymarket.wsUrl
  const socket = new WebSocket(url, { headers, skipUTF8Validation: true })
  t.teardown(() => socket.terminate())
  socket.on('message', (data: Buffer) => frames.push(data))
  await new Promise((resolve) => socket.once('open', resolve))
  const params = { channels: ['orderbook_delta'], market_tickers: [id] }
  socket.send(
    JSON.stringify(
      venue === 'kalshi' ? { id: 1, cmd: 'subscribe', params } : { assets_ids: tokens, type: 'market' }
    )
  )
  await until(() => frames.length > 0)
  return { frames }
}

async function signed({ kalshi }: Simulator): Promise<Record<string, string>> {
  const { constants, sign } = await import('node:crypto')
  const atMs = String(Date.now())
  const signature = sign('sha256', Buffer.from(`${atMs}GET/trade-api/ws/v2`), {
    key: kalshi.privateKeyPem,
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_DIGEST
  })
  return {
    'kalshi-access-key': kalshi.keyId,
    'kalshi-access-timestamp': atMs,
    'kalshi-access-signature': signature.toString('base64')
  }
}
