import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { Gateway } from '../faults/gateway.ts'
import { CrossbookProcess } from '../faults/process.ts'
import { Venues } from '../faults/venues.ts'
import type {
  BookAtInstant,
  CandleHistory,
  LatestSnapshot,
  SnapshotHistory,
  TradeHistory
} from '../schemas/history.ts'
import { type Engine, onEachEngine } from './engines.ts'

/** What a replay answers when it is asked for history: what the gateway did that recorded, as of the replay's instant. */

const MARKETS = 6
const RECORDED_MS = 6_000
const RANGED = ['snapshots', 'trades', 'gaps', 'coverage']

interface Answer {
  status: number
  text: string
}

t.test('a replay', { timeout: 300_000 }, (t) => onEachEngine(t, replayed))

async function replayed(t: Test, { engine, databaseUrl }: Engine): Promise<void> {
  const stop = (gateway: Gateway) => gateway.process.child.kill('SIGKILL')
  const running: Gateway[] = []
  t.teardown(() => running.map(stop))
  const dataDir = t.testdir()
  const started = async (name: string, settings: Record<string, string>, options: string[] = []) => {
    const gateway = await Gateway.start(`replay-history-${engine}-${name}`, settings, options)
    running.push(gateway)
    return gateway
  }
  const venues = await Venues.start(`replay-history-${engine}`, { markets: MARKETS, rate: 200, seed: 29 })
  t.teardown(() => venues.process.child.kill('SIGKILL'))

  const recorder = await started('recorder', {
    ...venues.settings(),
    HISTORY: 'on',
    DATA_DIR: dataDir,
    DATABASE_URL: databaseUrl
  })
  t.ok(await recorder.untilReady(), 'both venues are synchronised, and the database is open')
  const fromMs = Date.now()
  const passed = (ms: number) => recorder.until(async () => Date.now() >= ms, RECORDED_MS * 2)
  await passed(fromMs + RECORDED_MS)
  const toMs = fromMs + RECORDED_MS
  const midMs = fromMs + RECORDED_MS / 2
  // What came by then is written: a row may wait for its second, and for the next flush.
  const isWritten = await recorder.until(
    async () => ((await recorder.health()).history?.lagMs ?? 0) < Date.now() - toMs - 2_000,
    30_000
  )
  t.ok(isWritten)
  const ids = (await recorder.markets()).map(({ id }) => id)
  t.equal(ids.length, 2 * MARKETS)
  const before = new Map<string, Answer>()
  for (const path of pathsOf(ids, fromMs, toMs, midMs)) before.set(path, await ask(recorder, path))
  t.ok([...before.values()].every(({ status }) => status === 200))
  await t.test('beside the gateway that records has its books, and says who has the rows', async (t) => {
    if (engine === 'postgres') return
    const replay = await started('beside', {}, ['--replay', dataDir])
    t.ok(await replay.untilReady())
    const [id] = ids
    const book = `${id}/book?asOf=${midMs}`
    t.strictSame(await ask(replay, book), before.get(book))
    const { status, text } = await ask(replay, `${id}/snapshots`)
    t.match([status, text], [503, /is in use by process \d+/])
    t.notMatch(text, /retry/, 'it is not tried again, and in the way of the next gateway')
    t.equal((await replay.process.stop()).code, 0)
  })
  t.equal((await recorder.process.stop()).code, 0)

  await t.test('answers what the gateway did that recorded it, twice the same', async (t) => {
    const all: string[] = []
    for (const name of ['one', 'two']) {
      const replay = await started(name, { DATABASE_URL: databaseUrl }, ['--replay', dataDir])
      t.ok(await replay.untilReady())
      if (engine === 'pglite') {
        const settings = { ...venues.settings(), PORT: '0', DATA_DIR: dataDir }
        const { child } = new CrossbookProcess('replay-history-refused', ['serve'], settings)
        t.teardown(() => child.kill('SIGKILL'))
        let said = ''
        child.stderr?.on('data', (chunk) => {
          said += chunk
        })
        const [code] = await once(child, 'close')
        t.match(
          [code, said],
          [1, /is in use by process \d+: /],
          'a gateway would have no database for its rows'
        )
      }
      for (const [path, answer] of before) t.strictSame(await ask(replay, path), answer, path)
      const others = ids.flatMap((id) => [`${id}/latest`, `${id}/candles?from=${fromMs}&interval=1m`])
      const texts = await Promise.all(others.map(async (path) => ask(replay, path)))
      t.ok(texts.every(({ status }) => status === 200))
      all.push(JSON.stringify(texts))
      t.equal((await replay.process.stop()).code, 0)
    }
    t.equal(all[0], all[1])
  })

  await t.test('tells nothing of what lies behind its instant', async (t) => {
    const replay = await started('part', { DATABASE_URL: databaseUrl }, [
      '--replay',
      dataDir,
      '--to',
      String(midMs)
    ])
    t.ok(await replay.untilReady())
    let trades = 0
    for (const id of ids) {
      const json = async <T>(path: string) => JSON.parse((await ask(replay, `${id}/${path}`)).text) as T
      const { items } = await json<SnapshotHistory>(`snapshots?from=${fromMs}&limit=1000`)
      const past = JSON.parse((before.get(`${id}/snapshots?from=${fromMs}&to=${midMs}`) as Answer).text)
      t.strictSame(items, past.items, 'without an end a range ends now')
      t.ok(items.every(({ at }) => Date.parse(at) <= midMs))
      const beyond = await json<SnapshotHistory>(`snapshots?from=${fromMs}&to=${toMs}&limit=1000`)
      t.strictSame(beyond.items, items, 'also where more is asked for')
      const { snapshot } = await json<LatestSnapshot>('latest')
      t.ok(Date.parse(snapshot.at) <= midMs)
      const candles = await json<CandleHistory>(`candles?from=${fromMs}&interval=1m`)
      const first = Math.floor(fromMs / 60_000) * 60_000
      const inside = await json<SnapshotHistory>(`snapshots?from=${first}&limit=1000`)
      const counted = candles.items.reduce((sum, candle) => sum + candle.snapshots, 0)
      const told = inside.items.filter(({ cause }) => cause !== 'poll')
      t.equal(counted, told.length, 'candles are made of these')
      const traded = await json<TradeHistory>(`trades?from=${fromMs}`)
      t.ok(traded.items.every(({ receivedAt }) => Date.parse(receivedAt) <= midMs))
      trades += traded.items.length
      const later = await ask(replay, `${id}/book?asOf=${midMs + 1_000}`)
      t.match([later.status, later.text], [400, /is in the future/])
      const { proof } = await json<BookAtInstant>(`book?asOf=${midMs - 1_000}`)
      t.equal(proof.proven, true)
    }
    t.ok(trades > 0)
    t.equal((await replay.process.stop()).code, 0)
  })

  await t.test('of journals alone proves books, and says why it has no rows', async (t) => {
    const alone = t.testdir()
    cpSync(join(dataDir, 'journal'), join(alone, 'journal'), { recursive: true })
    const replay = await started('alone', {}, ['--replay', alone])
    t.ok(await replay.untilReady())
    const [id] = ids
    const book = `${id}/book?asOf=${midMs}`
    t.strictSame(await ask(replay, book), before.get(book))
    for (const path of RANGED) {
      const { status, text } = await ask(replay, `${id}/${path}`)
      t.match([status, text], [503, /no database is beside the journals that are replayed/])
    }
    t.equal((await replay.process.stop()).code, 0)
  })
}

/** What a gateway can be asked of times that are over, whenever it is asked. */
function pathsOf(ids: readonly string[], fromMs: number, toMs: number, midMs: number): string[] {
  return ids.flatMap((id) => [
    ...RANGED.map((path) => `${id}/${path}?from=${fromMs}&to=${toMs}`),
    `${id}/snapshots?from=${fromMs}&to=${midMs}`,
    `${id}/snapshots?from=${fromMs}&to=${toMs}&source=poll`,
    `${id}/book?asOf=${midMs}`
  ])
}

async function ask(gateway: Gateway, path: string): Promise<Answer> {
  const response = await fetch(`${gateway.url}/v1/markets/${path}`)
  return { status: response.status, text: await response.text() }
}
