import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { buildApp } from '../app.ts'
import type { LatestSnapshot, MarketCoverage, SnapshotHistory } from '../schemas/history.ts'
import type { MarketAggregate } from '../schemas/market.ts'
import { readSettings } from '../services/settings.ts'
import { viewTrueBook } from '../simulator/control/true-books.ts'
import { gatewaySettings } from '../simulator/gateway-settings.ts'
import { startSimulator } from '../simulator/index.ts'
import type { SimVenue } from '../simulator/model/types.ts'
import { type Engine, onEachEngine } from './engines.ts'

const VENUES = ['kalshi', 'polymarket'] as const

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(100)
}

/** NaN for a series that is not there. */
function seriesValue(metrics: string, series: string): number {
  const line = metrics.split('\n').find((one) => one.startsWith(`${series} `))
  return Number(line?.slice(series.length + 1) ?? Number.NaN)
}

/** The whole gateway over simulated venues, with history; audits come too seldom to be what reads REST. */
async function gateway(t: Test, venues: readonly SimVenue[], settings: Record<string, string> = {}) {
  const simulator = await startSimulator({ marketsPerVenue: 4, rate: 40, churnMs: 0, openDelayMs: 0 })
  t.teardown(() => simulator.stop())
  // Before the folder, which tap removes before it calls later handlers.
  let close = async () => {}
  t.teardown(() => close())
  const app = await buildApp({
    config: readSettings({
      ...gatewaySettings(simulator),
      PORT: '0',
      VENUES: venues.join(),
      LOG_LEVEL: 'silent',
      DATA_DIR: t.testdir(),
      HISTORY_FLUSH_MS: '100',
      AUDIT_PERIOD_MS: '3600000',
      KALSHI_POLL_INTERVAL_MS: '500',
      POLYMARKET_POLL_INTERVAL_MS: '500',
      VALIDATE_RESPONSES: 'all',
      ...settings
    })
  })
  close = () => app.close()
  await app.listen({ host: '127.0.0.1', port: 0 })
  const ask = async <Answer>(path: string) => (await app.inject(`/v1/markets${path}`)).json() as Answer
  const truths = () =>
    venues.flatMap((venue) =>
      simulator.world
        .markets(venue)
        .filter(({ status }) => status === 'active')
        .map((market) => ({ id: `${venue}:${market.id}`, ...viewTrueBook(market) }))
    )
  const ids = truths().map(({ id }) => id)
  const latest = (id: string) => ask<LatestSnapshot>(`/${id}/latest`)
  const everyLatest = (holds: (one: LatestSnapshot) => boolean) =>
    until(async () => (await Promise.all(ids.map(latest))).every(holds))
  const rows = async (id: string, query: string) =>
    (await ask<SnapshotHistory>(`/${id}/snapshots?from=0&limit=200&${query}`)).items ?? []
  const everyRecorded = (source: string) =>
    until(async () =>
      (await Promise.all(ids.map((id) => rows(id, `source=${source}`)))).every(({ length }) => length > 0)
    )
  const metrics = async () => (await app.inject('/metrics')).body
  return { simulator, ask, truths, ids, latest, everyLatest, rows, everyRecorded, metrics }
}

t.test('stream and polls are recorded beside each other, and the newest proven one is served', (t) =>
  onEachEngine(t, streamAndPolls)
)

async function streamAndPolls(t: Test, { databaseUrl }: Engine): Promise<void> {
  const { simulator, ask, truths, ids, latest, everyLatest, everyRecorded, metrics } = await gateway(
    t,
    VENUES,
    { DATABASE_URL: databaseUrl }
  )
  const { world, faults } = simulator
  await everyRecorded('poll')
  await everyRecorded('websocket')
  t.match(await ask('?source=websocket'), { total: ids.length }, 'what is served is streamed')
  t.match(await ask('?source=poll'), { total: 0 })

  for (const venue of VENUES) {
    faults.set(venue, 'refuse_upgrade')
    faults.set(venue, 'cut_socket')
  }
  const served = async () => (await ask<{ items: MarketAggregate[] }>('')).items
  await until(async () => (await served()).every(({ verdict }) => verdict.reason === 'disconnected'))
  const cutAtMs = Date.now()
  world.setRate(200)
  const isPolled = ({ source, snapshot }: LatestSnapshot) =>
    source === 'poll' && Date.parse(snapshot.at) > cutAtMs
  await everyLatest(isPolled)
  world.setRate(0)
  const isTrue = ({ id, snapshot }: LatestSnapshot) => {
    const truth = truths().find((one) => one.id === id)
    const pairs = (levels: { price: string; size: string }[]) =>
      levels.map(({ price, size }) => [price, size])
    const { bids, asks } = snapshot.orderBook
    return (
      JSON.stringify([pairs(bids), pairs(asks)]) ===
      JSON.stringify([truth?.bids.slice(0, 10), truth?.asks.slice(0, 10)])
    )
  }
  await everyLatest((one) => isPolled(one) && isTrue(one))
  for (const one of await Promise.all(ids.map(latest)))
    t.match(one, { source: 'poll', proven: true, snapshot: { verdict: { state: 'live', reason: null } } })
  for (const { verdict } of await served())
    t.match(
      verdict,
      { state: 'stale', reason: 'disconnected', source: 'websocket' },
      'the live book is flagged'
    )
  t.match(await ask('?source=websocket'), { total: ids.length })
  await until(async () => seriesValue(await metrics(), 'crossbook_gaps_open') > 0)

  for (const venue of VENUES) faults.clear('refuse_upgrade', venue)
  await everyLatest(({ source, proven }) => source === 'websocket' && proven)
  t.ok((await served()).every(({ verdict }) => verdict.state === 'live'))
  t.ok((await Promise.all(ids.map(latest))).every(isTrue))

  await until(async () => seriesValue(await metrics(), 'crossbook_gaps_open') === 0)
  const text = await metrics()
  const value = (name: string) => seriesValue(text, name)
  t.equal(value('crossbook_history_database{state="well"}'), 1)
  t.ok(value('crossbook_history_lag_seconds') < 60)
  t.ok(value('crossbook_history_waiting_rows') >= 0)
  t.ok(value('crossbook_history_rows_total{what="written"}') > 2 * ids.length)
  t.equal(value('crossbook_history_rows_total{what="dropped"}'), 0)
  t.equal(value('crossbook_history_failures_total'), 0)
  for (const how of ['snapshot', 'rest', 'trades', 'candles', 'none'])
    t.equal(value(`crossbook_gaps_filled_total{how="${how}"}`), 0, 'they ended by themselves')
  for (const journal of [...VENUES, 'books']) {
    t.equal(value(`crossbook_journal_ok{journal="${journal}"}`), 1)
    t.ok(value(`crossbook_journal_records_total{journal="${journal}"}`) > ids.length)
    t.equal(value(`crossbook_journal_lost_total{journal="${journal}"}`), 0)
  }
}

t.test('without Kalshi keys polls are the only source, and history says so', (t) =>
  onEachEngine(t, onlyPolls)
)

async function onlyPolls(t: Test, { databaseUrl }: Engine): Promise<void> {
  const { ask, ids, rows, everyRecorded } = await gateway(t, ['kalshi'], {
    DATABASE_URL: databaseUrl,
    KALSHI_API_KEY: '',
    KALSHI_API_SECRET: ''
  })
  await everyRecorded('poll')
  t.match(await ask('?source=poll'), { total: ids.length })
  t.match(await ask('?source=websocket'), { total: 0 })
  for (const id of ids) {
    t.same(await rows(id, 'source=websocket'), [])
    const { intervals } = await ask<MarketCoverage>(`/${id}/coverage?from=0`)
    t.notOk(intervals.some(({ kind }) => kind === 'verified'))
    t.match(intervals.at(-1), { kind: 'degraded', reason: 'polled' })
    const book = `/${id}/book?asOf=${Date.parse(intervals.at(-1)?.to as string) - 1}`
    t.match(await ask(book), { statusCode: 409, code: 'BOOK_UNPROVEN', message: /: polled from / })
    t.match(await ask(`${book}&allowDegraded=true`), {
      proof: { proven: false, verdict: { state: 'live' }, hole: { reason: 'polled' } }
    })
  }
}
