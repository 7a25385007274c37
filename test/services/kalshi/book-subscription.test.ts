import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { BookSubscription } from '../../../services/kalshi/book-subscription.ts'
import { Commands } from '../../../services/kalshi/commands.ts'

const SNAPSHOT_TIMEOUT_MS = 1_000
const GAP_TIMEOUT_MS = 5_000
const SID = 7

interface Sent {
  id: number
  cmd: string
  params: { action?: string; market_tickers?: string[] }
}

/** A subscription on an open connection whose commands are only noted, with a clock that is set by hand. */
function open(count: number) {
  const table = new BookTable({ capacityMarkets: 2 * count, capacityLevels: 1_024 })
  const clock = { nowMs: 0 }
  const steadyNow = () => clock.nowMs
  const sent: Sent[] = []
  const hopeless: string[] = []
  const commands = new Commands({ send: (text) => sent.push(JSON.parse(text)) > 0, steadyNow })
  const subscription = new BookSubscription({
    table,
    commands,
    snapshotTimeoutMs: SNAPSHOT_TIMEOUT_MS,
    gapTimeoutMs: GAP_TIMEOUT_MS,
    onHopeless: (reason) => hopeless.push(reason),
    log: { warn: () => {} },
    steadyNow
  })
  const markets = Array.from({ length: count }, (_, n) => ({ ticker: `T${n}`, slot: table.allocate() }))
  subscription.follow(markets)
  commands.open()
  subscription.open()
  t.teardown(() => commands.close())
  const slots = markets.map(({ slot }) => slot)
  return {
    table,
    commands,
    subscription,
    sent,
    hopeless,
    slots,
    reasons: () => slots.map((slot) => table.verdicts.reason(slot)),
    /** Takes the next command of a kind from those that were sent, once it is. */
    async next(kind: string): Promise<Sent> {
      for (;;) {
        const at = sent.findIndex(({ cmd, params }) => (params.action ?? cmd) === kind)
        if (at >= 0) return sent.splice(at, 1)[0] as Sent
        await sleep(1)
      }
    },
    /** Lets time pass and does what is due. */
    after(ms: number): void {
      clock.nowMs += ms
      subscription.tick()
    }
  }
}

t.test(
  'books that are mended already wait again while a gap takes the whole subscription anew',
  async (t) => {
    const { table, commands, subscription, slots, reasons, next, after } = open(2)
    const [first, second] = slots as [number, number]
    await next('subscribe')
    subscription.opened(SID)
    for (const slot of slots) table.resynced(slot)
    for (const slot of slots) table.raise(slot, 'sequence_gap')
    subscription.lost(slots)
    after(0)
    await next('get_snapshot')
    table.resynced(first)
    t.same(reasons(), [null, 'sequence_gap'])
    after(GAP_TIMEOUT_MS)
    const { id } = await next('unsubscribe')
    t.ok(table.verdicts.has(first, 'awaiting_snapshot'), 'nothing is subscribed from here on')
    table.resynced(first)
    commands.answered(id)?.onAnswer?.()
    t.match(await next('subscribe'), { params: { market_tickers: ['T0', 'T1'] } })
    t.ok(table.verdicts.has(first, 'awaiting_snapshot'), 'a snapshot of the former one is no base')
    t.ok(table.verdicts.has(second, 'awaiting_snapshot'))
  }
)

t.test('a market that goes before the answer is taken off with it, so that it can come back', async (t) => {
  const { subscription, slots, next, sent } = open(3)
  await next('subscribe')
  subscription.unfollow(['T1', 'T2'])
  subscription.follow([{ ticker: 'T2', slot: slots[2] as number }])
  await next('subscribe')
  subscription.opened(SID)
  t.match(await next('delete_markets'), { params: { sids: [SID], market_tickers: ['T1'] } })
  subscription.opened(SID)
  subscription.follow([{ ticker: 'T1', slot: slots[1] as number }])
  t.match(await next('add_markets'), { params: { market_tickers: ['T1'] } })
  t.same(sent, [], 'commands go in order: none was sent between the two')
})

t.test('a market that is taken off and put on again waits for its snapshot', async (t) => {
  const { table, commands, subscription, slots, reasons, next, after } = open(2)
  const [first] = slots as [number]
  await next('subscribe')
  subscription.opened(SID)
  for (const slot of slots) table.resynced(slot)
  table.raise(first, 'negative_level')
  subscription.need(first)
  after(0)
  await next('get_snapshot')
  after(SNAPSHOT_TIMEOUT_MS)
  const { id, params } = await next('delete_markets')
  t.same(params.market_tickers, ['T0'])
  t.ok(table.verdicts.has(first, 'awaiting_snapshot'))
  t.equal(reasons()[1], null, 'its neighbour does not')
  table.resynced(first)
  commands.answered(id)?.onAnswer?.()
  await next('add_markets')
  t.equal(reasons()[0], 'awaiting_snapshot')
})

/** A venue with places for so many markets, asked until nothing is asked any more. */
async function fill(
  opened: ReturnType<typeof open>,
  places: number
): Promise<{ sizes: number[]; taken: Set<string> }> {
  const { commands, subscription, sent } = opened
  const sizes: number[] = []
  const taken = new Set<string>()
  for (let idle = 0; idle < 20; idle++) {
    await sleep(1)
    for (const { id, params } of sent.splice(0)) {
      const command = commands.answered(id)
      const tickers = params.market_tickers ?? []
      if (params.action === 'delete_markets') continue
      idle = 0
      sizes.push(tickers.length)
      if (command !== null && taken.size + tickers.length > places) subscription.splitSmaller(command)
      else {
        subscription.opened(SID)
        for (const ticker of tickers) taken.add(ticker)
      }
    }
  }
  return { sizes, taken }
}

t.test(
  'a full subscription is filled to its last place, and what is too much is not asked for again',
  async (t) => {
    const opened = open(64)
    const { subscription, table, after, sent } = opened
    const { taken, sizes } = await fill(opened, 41)
    t.equal(taken.size, 41)
    t.equal(subscription.tooMany, 23)
    t.ok(sizes.length < 2 * 64, `${sizes.length} commands`)
    for (const ticker of taken) table.resynced(Number(ticker.slice(1)))
    for (let seconds = 0; seconds < 1_200; seconds++) after(1_000)
    await sleep(5)
    t.same(sent, [], 'not even after long')
    const [gone] = taken as Iterable<string>
    subscription.unfollow([gone as string])
    t.equal((await fill(opened, 1)).taken.size, 1, 'a place that is free again is taken')
    t.equal(subscription.tooMany, 22)
    subscription.close()
    t.equal(subscription.tooMany, 0)
    subscription.open()
    t.equal((await fill(opened, 100)).sizes[0], 63, 'a new connection begins with whole commands')
  }
)

t.test('a limit that is met for a moment does not make each later command one for one market', async (t) => {
  const opened = open(60)
  const { subscription, commands, next, table } = opened
  let { id } = await next('subscribe')
  for (let refusals = 0; refusals < 3; refusals++) {
    subscription.splitSmaller(commands.answered(id) as never)
    id = (await next('subscribe')).id
  }
  await fill(opened, 100)
  const markets = Array.from({ length: 25 }, (_, n) => ({ ticker: `N${n}`, slot: table.allocate() }))
  subscription.follow(markets)
  t.equal((await next('add_markets')).params.market_tickers?.length, 25)
})

for (const what of ['gap', 'stray'] as const)
  t.test(`a ${what} does not wait for a market that never had a snapshot`, async (t) => {
    const { table, subscription, slots, sent, hopeless, next, after } = open(2)
    const [first] = slots as [number]
    await next('subscribe')
    subscription.opened(SID)
    table.resynced(first)
    if (what === 'stray') subscription.stray()
    else {
      for (const slot of slots) table.raise(slot, 'sequence_gap')
      subscription.lost(slots)
    }
    t.ok(table.verdicts.has(first, 'sequence_gap'))
    table.resynced(first)
    for (let n = 0; n < 20; n++) after(GAP_TIMEOUT_MS)
    await sleep(5)
    t.notOk(sent.some(({ cmd }) => cmd === 'unsubscribe'))
    t.same(hopeless, [])
  })

t.test(
  'while strays go on books are taken anew ever less often, at the longest every ten minutes',
  async (t) => {
    const { table, subscription, slots, next, after } = open(1)
    const [slot] = slots as [number]
    await next('subscribe')
    subscription.opened(SID)
    const mended: number[] = []
    const look = (second: number) => {
      if (table.verdicts.has(slot, 'sequence_gap')) mended.push(second)
      table.resynced(slot)
    }
    const strayAt = (second: number) => {
      table.resynced(slot)
      subscription.stray()
      look(second)
      after(1_000)
      look(second + 1)
    }
    for (let second = 0; second < 2_200; second++) strayAt(second)
    t.same(mended, [0, 60, 180, 420, 900, 1_500, 2_100])
    for (let second = 2_200; second < 4_200; second++) {
      after(1_000)
      table.resynced(slot)
    }
    for (let second = 4_200; second < 4_270; second++) strayAt(second)
    t.same(mended.slice(7), [4_200, 4_260], 'after a pause without any it begins again')
  }
)
