/**
 * Runs a cluster on this machine, as plain processes against one Redis: simulated venues, two ingest processes that share
 * their markets, two replicas that serve them. Ctrl-C ends all. Kill one of them and watch the others.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { freePort } from '../faults/process.ts'
import type { Health } from '../schemas/health.ts'
import { RedisLink } from '../services/replication/redis.ts'
import { gatewaySettings } from '../simulator/gateway-settings.ts'
import type { Simulator } from '../simulator/index.ts'

const BIN = fileURLToPath(new URL('../bin/crossbook.mjs', import.meta.url))
const REDIS_URL = process.env.REDIS_URL || 'redis://127.0.0.1:6379'
const REDIS_TIMEOUT_MS = 3_000
const END_TIMEOUT_MS = 12_000
const LOOK_EVERY_MS = 1_000

interface Member {
  name: string
  url: string
  child: ChildProcess
}

const USAGE = `Usage: npm run cluster -- [options]

Runs a cluster on this machine against the Redis at REDIS_URL (${REDIS_URL}), until SIGINT or SIGTERM.

  --markets N    markets a venue (500)
  --rate N       happenings a second, both venues together (2000)
  --ingests N    ingest processes (2)
  --replicas N   replicas (2)
  --help         this text`

const { values } = parseArgs({
  options: {
    help: { type: 'boolean', default: false },
    markets: { type: 'string', default: '500' },
    rate: { type: 'string', default: '2000' },
    ingests: { type: 'string', default: '2' },
    replicas: { type: 'string', default: '2' }
  }
})

if (values.help) {
  console.log(USAGE)
  process.exit(0)
}

const CLUSTER_NAME = `cluster-${process.pid}`
const children: ChildProcess[] = []
let isEnding = false

function run(args: string[], env: Record<string, string>): ChildProcess {
  const child = spawn(process.execPath, [BIN, ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  children.push(child)
  return child
}

async function startVenues(): Promise<Pick<Simulator, 'kalshi' | 'polymarket' | 'controlUrl'>> {
  const { markets, rate } = values
  const args = ['--json', '--port', '0', '--churn', '0', '--markets', markets, '--rate', rate]
  const child = run(['simulate', ...args], {})
  const lines = createInterface({ input: child.stdout as NonNullable<ChildProcess['stdout']> })
  const [line] = await Promise.race([once(lines, 'line'), once(child, 'exit').then(() => ['{}'])])
  return JSON.parse(line)
}

async function start(name: string, settings: Record<string, string>): Promise<Member> {
  const port = await freePort()
  const child = run(['serve'], { LOG_LEVEL: 'warn', HISTORY: 'off', ...settings, PORT: String(port) })
  child.stdout?.resume()
  child.once('exit', (code, signal) => {
    if (!isEnding) console.log(`\n${name} has ended (${signal ?? code})`)
  })
  return { name, url: `http://127.0.0.1:${port}`, child }
}

/** Returns a connection that is there, or was waited for long enough. */
async function connect(): Promise<RedisLink> {
  const redis = new RedisLink({ url: REDIS_URL, name: 'crossbook-cluster', log: { info() {}, warn() {} } })
  redis.start()
  const untilMs = performance.now() + REDIS_TIMEOUT_MS
  while (!redis.isReady && performance.now() < untilMs) await sleep(20)
  return redis
}

/** The next cluster has another name: nobody else would ever delete what this one kept. */
async function deleteKeys(): Promise<void> {
  const redis = await connect()
  const keys = redis.isReady ? ((await redis.call('KEYS', `{${CLUSTER_NAME}/*}:*`)) as Buffer[]) : []
  if (keys.length > 0) await redis.call('UNLINK', ...keys)
  await redis.stop()
}

/** Says in one sentence why there is no cluster, before anything is started. */
async function assertRedis(): Promise<void> {
  const redis = await connect()
  const { state, lastError } = redis.status
  await redis.stop()
  if (state === 'ready') return
  console.error(
    `no cluster without Redis: ${lastError ?? 'it does not answer'}; set REDIS_URL or start redis-server`
  )
  process.exit(1)
}

async function lineOf({ name, url, child }: Member): Promise<string> {
  if (child.exitCode !== null || child.signalCode !== null) return `${name}: gone`
  try {
    const health = (await (await fetch(`${url}/v1/healthz`)).json()) as Health
    const { leases, replica, booksByState } = health.replication ?? {}
    const books = Object.entries(booksByState ?? {}).map(([state, count]) => `${count} ${state}`)
    const part = leases ? `${leases.held} shards` : `lag ${replica?.lagMs ?? '?'} ms`
    return `${name}: ${part}, ${books.join(' ') || 'no books'}`
  } catch {
    return `${name}: starting`
  }
}

async function end(): Promise<void> {
  if (isEnding) return
  isEnding = true
  const living = children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
  const gone = Promise.all(living.map((child) => once(child, 'exit')))
  for (const child of living) child.kill('SIGTERM')
  await Promise.race([gone, sleep(END_TIMEOUT_MS)])
  for (const child of living) child.kill('SIGKILL')
  await deleteKeys().catch((error) => console.error(`what Redis keeps of it was not deleted: ${error}`))
  process.exit(0)
}

process.on('SIGINT', end)
process.on('SIGTERM', end)
await assertRedis()
const venues = await startVenues()
const settings = {
  ...gatewaySettings(venues),
  REDIS_URL,
  CLUSTER_NAME,
  MAX_MARKETS_PER_VENUE: values.markets
}
const members: Member[] = []
for (let n = 1; n <= Number(values.ingests); n++)
  members.push(await start(`ingest ${n}`, { ...settings, ROLE: 'ingest' }))
for (let n = 1; n <= Number(values.replicas); n++)
  members.push(await start(`api ${n}`, { ...settings, ROLE: 'api' }))

console.log('\nA cluster on this machine. Stop with Ctrl-C; kill a process to see the others take over.\n')
for (const { name, url, child } of members)
  console.log(`  ${name.padEnd(10)} process ${String(child.pid).padEnd(8)} ${url}/v1/healthz`)
console.log(
  `  ${'simulator'.padEnd(10)} process ${String(children[0]?.pid).padEnd(8)} ${venues.controlUrl}/state`
)
console.log(`\n  books      ${members.at(-1)?.url}/v1/markets?pageSize=5&sort=-volume24h\n`)

while (!isEnding) {
  await sleep(LOOK_EVERY_MS)
  const line = (await Promise.all(members.map(lineOf))).join('  |  ')
  if (process.stdout.isTTY)
    process.stdout.write(`\r\x1b[2K${line.slice(0, (process.stdout.columns ?? 200) - 1)}`)
  else console.log(line)
}
