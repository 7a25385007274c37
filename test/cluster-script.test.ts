import { spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'
import { freePort } from '../faults/process.ts'
import type { MarketAggregate } from '../schemas/market.ts'
import { inspector, NO_REDIS_SERVER, OwnRedis, until } from './services/replication/real-redis.ts'

/** What `npm run cluster` runs. */
const SCRIPT = ['--import', 'tsx', 'scripts/cluster.ts']
const MARKETS = 20

t.setTimeout(180_000)

/** Runs the script and keeps what it prints. */
function run(redisUrl: string, ...args: string[]) {
  const child = spawn(process.execPath, [...SCRIPT, ...args], {
    env: { PATH: process.env.PATH, REDIS_URL: redisUrl },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  const printed = { text: '' }
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (part) => {
      printed.text += part
    })
  return { child, printed, ended: once(child, 'close') }
}

function isThere(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch {
    return false
  }
}

t.test(
  'npm run cluster starts two ingest processes and two replicas, which serve every book, and ends all of them',
  { skip: NO_REDIS_SERVER },
  async (t) => {
    const redis = await OwnRedis.start(t)
    const { child, printed, ended } = run(redis.url, '--markets', String(MARKETS), '--rate', '100')
    t.teardown(() => child.kill('SIGTERM'))
    const members = () =>
      [...printed.text.matchAll(/(ingest|api) (\d) +process (\d+) +(http:\S+)\/v1\/healthz/g)].map(
        ([, role, number, pid, url]) => ({ name: `${role} ${number}`, role, pid: Number(pid), url })
      )
    await until(() => members().length === 4 || child.exitCode !== null, 'it says what it started')
    const started = members()
    t.same(
      started.map(({ name }) => name),
      ['ingest 1', 'ingest 2', 'api 1', 'api 2'],
      printed.text
    )
    for (const { name, url } of started.filter(({ role }) => role === 'api'))
      await until(async () => {
        const response = await fetch(`${url}/v1/markets?state=live`).catch(() => null)
        if (response?.ok !== true) return false
        const { total, items } = (await response.json()) as { total: number; items: MarketAggregate[] }
        return total === 2 * MARKETS && items.every(({ orderBook }) => orderBook.bids.length > 0)
      }, `${name} serves every book live`)
    await until(
      () =>
        /ingest 1: [1-9]\d* shards.*ingest 2: [1-9]\d* shards.*api 2: lag \d+ ms, 40 live/.test(printed.text),
      'its line says that both share the markets'
    )

    child.kill('SIGTERM')
    t.same(await ended, [0, null], 'it ends well')
    t.same(
      started.filter(({ pid }) => isThere(pid)),
      [],
      'and nothing of it is left'
    )
    t.notMatch(printed.text, /has ended/, 'no process ended by itself')
    const left = await inspector(t, redis.url).keys('{cluster-*')
    t.same(left, [], 'nor of what was only its own in Redis')
  }
)

t.test('npm run cluster without Redis says so in one sentence and starts nothing', async (t) => {
  const { printed, ended } = run(`redis://127.0.0.1:${await freePort()}`)
  t.same(await ended, [1, null])
  t.match(
    printed.text,
    /^no cluster without Redis: nobody answers at REDIS_URL; set REDIS_URL or start redis-server\n$/
  )
})
