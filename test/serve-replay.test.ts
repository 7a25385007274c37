import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { PROGRAM } from '../faults/program.ts'
import type { Health } from '../schemas/health.ts'
import { JournalWriter } from '../services/history/journal/writer.ts'
import { formatMarketBody } from '../services/history/replay/market-record.ts'
import { market } from './helper.ts'

/** `crossbook serve --replay` as a whole process. */

const AT = Date.UTC(2026, 10, 20, 12)
const log = { info() {}, warn() {}, error() {} }

/** A data folder with a market and its whole book in the journal. */
async function recorded(t: Test): Promise<string> {
  const folder = t.testdir()
  const options = { folder: join(folder, 'journal'), name: 'kalshi', flushMs: 50, onHole: () => {}, log }
  const journal = new JournalWriter({ ...options, now: () => AT })
  await journal.start()
  const book = {
    type: 'orderbook_snapshot',
    sid: 1,
    seq: 1,
    msg: { market_ticker: market(1).symbol, yes_dollars_fp: [['0.4100', '120.00']], no_dollars_fp: [] }
  }
  const opening = { type: 'subscribed', id: 1, msg: { channel: 'orderbook_delta', sid: 1 } }
  journal.appendText(
    'market',
    AT,
    0,
    formatMarketBody({ market: market(1, { eventId: null }), rules: '', event: null })
  )
  for (const frame of [opening, book]) journal.appendText('frame', AT + 5, 1, JSON.stringify(frame))
  await journal.stop()
  return folder
}

function serve(t: Test, args: string[]) {
  const child = spawn(process.execPath, [PROGRAM, 'serve', '--replay', ...args], {
    env: { PATH: process.env.PATH ?? '', PORT: '0', LOG_LEVEL: 'info' },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => child.kill('SIGKILL'))
  const said = { stdout: '', stderr: '' }
  for (const name of ['stdout', 'stderr'] as const)
    child[name].setEncoding('utf8').on('data', (chunk) => {
      said[name] += chunk
    })
  return { child, said, ended: once(child, 'close') }
}

/** Waits until all is replayed; returns the health then. */
async function finished(said: { stdout: string }): Promise<Health> {
  for (;;) {
    const base = /listening at (http:\S+)"/.exec(said.stdout)?.[1]
    const health = base === undefined ? null : ((await (await fetch(`${base}/v1/healthz`)).json()) as Health)
    if (health?.replay?.state === 'finished') return health
    await sleep(20)
  }
}

t.test('a replay that is finished says so in health, and goes on to serve its last state', async (t) => {
  const { child, said, ended } = serve(t, [await recorded(t), '--to', '2030-01-01T00:00:00Z'])
  const { replay, store } = await finished(said)
  t.match(replay, { records: 3, holes: 0, receivedAt: '2026-11-20T12:00:00.005Z', digest: /^[0-9a-f]{64}$/ })
  t.match(said.stdout, new RegExp(`"digest":"${replay?.digest}"`), 'the digest of the log')
  t.equal(store.markets, 1)
  child.kill('SIGTERM')
  t.strictSame(await ended, [0, null])
})

t.test('a damaged journal is told in the log and in health', async (t) => {
  const folder = await recorded(t)
  const journal = join(folder, 'journal', 'kalshi')
  const path = join(journal, readdirSync(journal)[0] as string)
  const whole = readFileSync(path)
  const damaged = Buffer.from(whole)
  damaged.fill(0, whole.lastIndexOf('XBFOOT1') - 40, whole.lastIndexOf('XBFOOT1'))
  await t.test('and one of which nothing can be read is one sentence', async (t) => {
    writeFileSync(path, damaged)
    const { said, ended } = serve(t, [folder])
    t.strictSame(await ended, [1, null])
    t.match(said.stderr.trim(), /^crossbook: --replay \S+ holds nothing that can be read$/)
  })
  // Behind what is damaged, the same again.
  writeFileSync(join(journal, readdirSync(journal)[0]?.replace(/^\d/, '9') as string), whole)
  const { said, child, ended } = serve(t, [folder])
  const { replay } = await finished(said)
  t.match(replay, { records: 3, holes: 1 })
  const times = '"from":"2026-11-20T12:00:00.000Z","to":"2026-11-20T12:00:00.005Z"'
  t.equal(said.stdout.split(`"journal":"kalshi",${times},"records":3,"reason":"corrupt"`).length, 2, 'once')
  child.kill('SIGTERM')
  t.strictSame(await ended, [0, null])
  t.match(said.stdout, /"holes":1,"isComplete":false/)
})

t.test('a folder without a journal of that time is one sentence, and nothing listens', async (t) => {
  const folder = await recorded(t)
  const file = join(folder, 'file')
  writeFileSync(file, '')
  const cases: [args: string[], sentence: RegExp][] = [
    [[join(folder, 'none')], /^crossbook: --replay \S+none holds no journal of that time$/],
    [[folder, '--to', String(AT)], /^crossbook: --replay \S+ holds no journal of that time$/],
    [[file], /^crossbook: --replay \S+file cannot be read \(ENOTDIR\): give a DATA_DIR$/]
  ]
  await Promise.all(
    cases.map(async ([args, sentence]) => {
      const { said, ended } = serve(t, args)
      t.strictSame(await ended, [1, null])
      t.match(said.stderr.trim(), sentence)
      t.equal(said.stdout, '')
    })
  )
})
