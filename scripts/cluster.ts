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

const { values } = parseArgs({
  options: {
    markets: { type: 'string', default: '500' },
    rate: { type: 'string', default: '2000' },
    ingests: { type: 'string', default: '2' },
    replicas: { type: 'string', default: '2' }
  }
})

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

/** Says in one sentence why there is no cluster, before anything is started. */
async function assertRedis(): Promise<void> {
  const redis = new RedisLink({ url: REDIS_URL, name: 'crossbook-cluster', log: { info() {}, warn() {} } })
  redis.start()
  const untilMs = performance.now() + REDIS_TIMEOUT_MS
  while (!redis.isReady && performance.now() < untilMs) await sleep(20)
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
  process.exit(0)
}

process.on('SIGINT', end)
process.on('SIGTERM', end)
await assertRedis()
const venues = await startVenues()
const settings = {
  ...gatewaySettings(venues),
  REDIS_URL,
  CLUSTER_NAME: `cluster-${process.pid}`,
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
