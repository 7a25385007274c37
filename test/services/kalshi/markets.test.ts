import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { Market } from '../../../schemas/market.ts'
import { KalshiMarkets } from '../../../services/kalshi/markets.ts'
import { parseLifecycle } from '../../../services/kalshi/parse.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { Counters } from '../../../services/venue/counters.ts'
import { market } from '../../helper.ts'

const TICKER = 'KXTEST-0001'
const ID = `kalshi:${TICKER}`

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(5)
}

/** Markets of a venue whose REST answers are `listed`, with a note of what was followed and asked for. */
async function open(t: Test, count = 1) {
  const store = new SnapshotStore({ capacityMarkets: 4096, capacityLevels: 16_384 })
  const listed = new Map(
    Array.from({ length: count }, (_, i) => [market(i + 1).symbol, market(i + 1)] as [string, Market])
  )
  const followed: string[][] = []
  const unfollowed: string[][] = []
  const lookedUp: string[] = []
  const gate: { wait: Promise<void> | null } = { wait: null }
  let discoveries = 0
  const found = (markets: Market[]) => markets.map((one) => ({ market: one, rules: '', event: null }))
  const markets = new KalshiMarkets({
    sink: store,
    discovery: {
      discover: async () => {
        discoveries++
        await gate.wait
        return { found: found([...listed.values()]), named: new Set<string>() }
      },
      discoverNew: async () => [],
      lookUp: async (tickers) => {
        lookedUp.push(...tickers)
        return found(tickers.flatMap((ticker) => listed.get(ticker) ?? []))
      },
      selects: () => true
    },
    counters: new Counters(),
    maxMarkets: 2_000,
    retentionMs: 60_000,
    intervalMs: 60_000,
    onFollow: (fresh) => followed.push(fresh.map(({ market }) => market.symbol)),
    onUnfollow: (tickers) => unfollowed.push(tickers),
    onReactivated: () => {},
    onSettled: () => {},
    log: { info: () => {}, warn: () => {} }
  })
  t.teardown(() => markets.stop())
  markets.start()
  await until(() => followed.length === 1)
  const list = (change: Partial<Market>, ticker = TICKER) =>
    listed.set(ticker, { ...(listed.get(ticker) as Market), ...change })
  return {
    store,
    markets,
    followed,
    unfollowed,
    lookedUp,
    gate,
    list,
    discoveries: () => discoveries,
    tell: (eventType: string, fields = {}, ticker = TICKER) => {
      const message = parseLifecycle({ market_ticker: ticker, event_type: eventType, ...fields })
      if (message !== null) markets.take(message)
    },
    served: () => store.get(ID)?.market as Market
  }
}

for (const eventType of ['activated', 'deactivated'])
  t.test(`an ended market that is told to be ${eventType} is looked up, not revived`, async (t) => {
    const { tell, served, followed, lookedUp, list } = await open(t)
    list({ status: 'settled', result: 'yes' })
    tell('settled', { result: 'yes' })
    await turn()
    tell(eventType)
    await turn()
    t.equal(served().status, 'settled')
    await until(() => lookedUp.includes(TICKER))
    await turn()
    t.equal(served().status, 'settled')
    t.equal(followed.length, 1, 'its book is not kept again')
  })

t.test('closed can return to active when close_time moves', async (t) => {
  const { tell, served, followed, unfollowed, list } = await open(t)
  const closeMs = Date.now() + 400
  tell('close_date_updated', { close_ts: Math.floor(closeMs / 1_000) })
  await until(() => unfollowed.length === 1)
  t.equal(served().status, 'closed')
  list({ status: 'closed', closeTime: new Date(closeMs).toISOString() })
  // The venue's list may show the old close a while longer.
  list({ status: 'open' })
  const movedSeconds = Math.floor(Date.now() / 1_000) + 3_600
  tell('close_date_updated', { close_ts: movedSeconds })
  await until(() => followed.length === 2)
  t.match(served(), { status: 'open', closeTime: new Date(movedSeconds * 1_000).toISOString() })
})

t.test('only what was told outranks the list, and the list gives the rest', async (t) => {
  const { tell, served, list } = await open(t)
  list({ title: 'A new title', volume: '77', status: 'open' })
  tell('deactivated')
  tell('metadata_updated')
  await until(() => served().title === 'A new title')
  t.match(served(), { status: 'halted', volume: '77' })
})

t.test('a new price grid is taken from its message', async (t) => {
  const { tell, served, list, lookedUp } = await open(t)
  tell('price_level_structure_updated', {
    price_ranges: [{ start: '0.0000', end: '1.0000', step: '0.0010' }]
  })
  t.same(served().priceBands, [{ start: '0', end: '1', step: '0.001' }])
  list({ priceBands: [{ start: '0', end: '1', step: '0.002' }] })
  tell('price_level_structure_updated', { price_ranges: 'tapered' })
  await until(() => lookedUp.length === 1)
  t.pass('one without bands is looked up')
})

t.test('a discovery that is asked for while one runs comes after it', async (t) => {
  const { markets, gate, discoveries } = await open(t)
  let release = () => {}
  gate.wait = new Promise((resolve) => {
    release = resolve
  })
  markets.rediscover()
  await until(() => discoveries() === 2)
  markets.rediscover()
  gate.wait = null
  release()
  await until(() => discoveries() === 3)
  t.pass('it was not dropped')
})

t.test('many changes of a turn are one change of the subscription', async (t) => {
  const { tell, followed, unfollowed } = await open(t, 500)
  t.equal(followed[0]?.length, 500)
  for (let n = 1; n <= 300; n++) tell('determined', { result: 'no' }, market(n).symbol)
  t.equal(unfollowed.length, 0)
  await turn()
  t.equal(unfollowed.length, 1)
  t.equal(unfollowed[0]?.length, 300)
})
