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
