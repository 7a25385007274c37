import t from 'tap'
import type { Market } from '../../../schemas/market.ts'
import { diffMarkets } from '../../../services/recycler/diff.ts'
import { Recycler, type RecyclerOptions } from '../../../services/recycler/recycler.ts'
import { nextDelayMs } from '../../../services/recycler/schedule.ts'
import type { FeedStatus } from '../../../services/venue/port.ts'
import type { RecycleOptions, VenueRecycle } from '../../../services/venue/recycle.ts'
import { market } from '../../helper.ts'

const NOTHING: VenueRecycle = { connections: [], before: new Map(), after: new Map(), discoveryError: null }
const HOUR_MS = 3_600_000

const byId = (...markets: Market[]) => new Map(markets.map((one) => [one.id, one]))
const turn = () => new Promise((resolve) => setImmediate(resolve))

function feed(
  venue: 'kalshi' | 'polymarket',
  recycle: (options: RecycleOptions) => Promise<VenueRecycle>,
  synced = true
) {
  return { venue, recycle, status: () => ({ synced }) as FeedStatus }
}

function setUp(feeds: RecyclerOptions['feeds'], options: Partial<RecyclerOptions> = {}) {
  const lines: object[] = []
  const log = { info: (line: object) => lines.push(line), warn: (line: object) => lines.push(line) }
  const recycler = new Recycler({
    feeds,
    intervalMs: 12 * HOUR_MS,
    log: log as unknown as RecyclerOptions['log'],
    now: () => Date.UTC(2026, 10, 20, 12),
    random: () => 0.5,
    ...options
  })
  t.teardown(() => recycler.stop())
  const ended = async () => {
    while (recycler.status().running !== null) await turn()
  }
  return { recycler, lines, ended }
}

t.test('the next run comes after the interval, give or take a tenth', async (t) => {
  t.equal(
    nextDelayMs(1_000, () => 0),
    900
  )
  t.equal(
    nextDelayMs(1_000, () => 0.5),
    1_000
  )
  t.equal(
    nextDelayMs(1_000, () => 0.999999),
    1_100
  )
})

t.test('two discoveries differ by what came, what changed and what went', async (t) => {
  const before = byId(market(1), market(2), market(3))
  const after = byId(
    market(2, { closeTime: null, status: 'halted' }),
    market(3, { volume: '9', volume24h: '9', openInterest: '9' }),
    market(4)
  )
  t.same(diffMarkets(before, after), {
    added: [market(4).id],
    changed: [{ id: market(2).id, fields: ['status', 'closeTime'] }],
    ended: [market(1).id]
  })
  t.same(diffMarkets(before, before), { added: [], changed: [], ended: [] })
})

t.test('one venue after the other, each in the report and in one line of the log', async (t) => {
  const order: string[] = []
  const { recycler, lines, ended } = setUp([
    feed('kalshi', async ({ onProgress }) => {
      onProgress('renewing the connection')
      order.push(`kalshi ${recycler.status().running?.step}`)
      await turn()
      order.push('kalshi done')
      const books = { markets: 2, equal: 1, explained: 0, mended: 0, fillMs: 12 }
      const difference = {
        levels: 3,
        first: { side: 'ask', priceE4: 4_300, sizeE6: 0, otherSizeE6: 1_500_000 }
      } as const
      return {
        ...NOTHING,
        before: byId(market(1)),
        after: byId(market(1), market(2)),
        connections: [
          {
            ...books,
            name: 'kalshi',
            outcome: 'swapped',
            reason: null,
            differed: [{ marketId: market(1).id, difference }]
          }
        ]
      }
    }),
    feed('polymarket', async () => {
      order.push(`polymarket ${recycler.status().running?.venue}`)
      return NOTHING
    })
  ])
  recycler.start()
  t.equal(recycler.status().nextRunAt, '2026-11-21T00:00:00.000Z')
  t.equal(recycler.run('operator'), 1)
  t.match(recycler.status(), { nextRunAt: null, running: { id: 1, trigger: 'operator' } })
  t.throws(() => recycler.run('operator'), { code: 'RECYCLER_BUSY' })
  await ended()
  t.same(order, ['kalshi renewing the connection', 'kalshi done', 'polymarket polymarket'])
  const { lastRuns, nextRunAt } = recycler.status()
  t.equal(nextRunAt, '2026-11-21T00:00:00.000Z', 'the next one is set again')
  t.match(lastRuns, [
    {
      id: 1,
      outcome: 'completed',
      venues: [
        {
          venue: 'kalshi',
          error: null,
          connections: [{ name: 'kalshi', differed: 1 }],
          differed: {
            total: 1,
            items: [{ levels: 3, side: 'ask', price: '0.43', size: '0', freshSize: '1.5' }]
          },
          added: { total: 1, items: [market(2).id] }
        },
        { venue: 'polymarket' }
      ]
    }
  ])
  t.equal(lines.length, 1)
  t.match(recycler.totals, { runs: 1, swapped: 1, kept: 0, differed: 1, failures: 0 })
})

t.test('a venue that fails does not stop the other, and is told of', async (t) => {
  const { recycler, ended } = setUp([
    feed('kalshi', () => Promise.reject(new Error('no way'))),
    feed('polymarket', async () => ({ ...NOTHING, discoveryError: 'HTML' }))
  ])
  recycler.run('schedule')
  await ended()
  t.match(recycler.status().lastRuns, [
    { outcome: 'partial', venues: [{ error: 'no way' }, { error: 'discovery failed: HTML' }] }
  ])
  t.equal(recycler.totals.failures, 2)
})

t.test('a venue that is not synchronised is left alone', async (t) => {
  const { recycler, ended } = setUp([feed('kalshi', () => Promise.reject(new Error('asked')), false)])
  recycler.run('schedule')
  await ended()
  t.match(recycler.status().lastRuns, [{ venues: [{ error: 'the first synchronisation is not done' }] }])
})

/** Ends when it is told to, and not before. */
const untilAborted = ({ signal }: RecycleOptions) =>
  new Promise<VenueRecycle>((resolve) => {
    signal.addEventListener('abort', () => resolve({ ...NOTHING, discoveryError: 'the run was ended' }))
  })

t.test('a venue has a bounded time', async (t) => {
  const { recycler, ended } = setUp([feed('kalshi', untilAborted)], { venueTimeoutMs: 5 })
  recycler.run('schedule')
  await ended()
  t.match(recycler.status().lastRuns, [{ outcome: 'partial' }])
})

t.test('stopping ends the run under way and starts no more', async (t) => {
  const { recycler } = setUp([feed('kalshi', untilAborted), feed('polymarket', untilAborted)])
  recycler.run('schedule')
  await turn()
  await recycler.stop()
  t.match(recycler.status(), { nextRunAt: null, running: null })
  t.match(recycler.status().lastRuns, [{ outcome: 'ended', venues: [{ venue: 'kalshi' }] }])
  t.equal(recycler.status().lastRuns[0]?.venues.length, 1, 'the other venue was not begun')
})

t.test('runs start by themselves, and the last 20 reports are kept', async (t) => {
  const { recycler } = setUp([feed('kalshi', async () => NOTHING)], { intervalMs: 1 })
  recycler.start()
  while (recycler.totals.runs < 23) await turn()
  const { lastRuns } = recycler.status()
  t.equal(lastRuns.length, 20)
  t.equal(lastRuns[0]?.id, recycler.totals.runs)
  t.equal(lastRuns[0]?.trigger, 'schedule')
})
