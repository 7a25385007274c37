import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { WebSocket } from 'ws'
import { PROGRAM } from '../faults/program.ts'
import { gatewaySettings } from '../simulator/gateway-settings.ts'
import { type Simulator, startSimulator } from '../simulator/index.ts'

interface Running {
  child: ChildProcess
  address: string
  port: number
  log: string[]
}

/** The real process on these venues, once it listens. */
async function serve(t: Test, settings: Record<string, string>): Promise<Running> {
  const child = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: { PATH: process.env.PATH ?? '', PORT: '0', LOG_LEVEL: 'info', HISTORY: 'off', ...settings },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  const log: string[] = []
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream })
  const address = await new Promise<string>((resolve) => {
    lines.on('line', (line) => {
      log.push(line)
      const found = /listening at (http:\S+)"/.exec(line)?.[1]
      if (found !== undefined) resolve(found)
    })
  })
  return { child, address, port: Number(new URL(address).port), log }
}

function settingsOf(simulator: Pick<Simulator, 'kalshi' | 'polymarket'>) {
  const settings = gatewaySettings(simulator)
  return { ...settings, KALSHI_API_SECRET: settings.KALSHI_API_SECRET.replaceAll('\n', '\\n') }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(20)
}

async function venues(t: Test): Promise<Simulator> {
  const simulator = await startSimulator({ port: 0, marketsPerVenue: 150, rate: 500 })
  t.teardown(() => simulator.stop())
  return simulator
}

/** More than the buffers of both ends of a connection hold, in answers of a megabyte or so. */
const AHEAD = 24
const STREAM = '/v1/markets.ndjson?depth=100'

/** Asks over a bare socket, some times ahead, and reads only when told to; `text` is what was read. */
function asking(t: Test, port: number, path: string, times = 1): { socket: Socket; text: () => string } {
  const socket = connect(port, '127.0.0.1')
  const chunks: Buffer[] = []
  socket.on('data', (chunk) => chunks.push(chunk))
  socket.on('error', () => {})
  socket.pause()
  socket.write(`GET ${path} HTTP/1.1\r\nhost: x\r\n\r\n`.repeat(times))
  t.teardown(() => socket.destroy())
  return { socket, text: () => Buffer.concat(chunks).toString() }
}

const isReady = async (address: string) => (await fetch(`${address}/v1/readyz`)).status === 200
const PAGE = '/v1/markets?pageSize=100&depth=100'

/** How many answers of a stream are whole in what was read. */
function wholeAnswers(text: string): number {
  return text.split('\r\n0\r\n\r\n').length - 1
}

t.test('SIGTERM in mid-traffic finishes what is being read, then exits with 0 in time', async (t) => {
  const simulator = await venues(t)
  const { child, address, port } = await serve(t, settingsOf(simulator))
  await until(() => isReady(address))
  const stream = asking(t, port, STREAM)
  const slow = asking(t, port, STREAM, AHEAD)
  stream.socket.resume()
  slow.socket.resume()
  await until(() => slow.text().length > 0 && stream.text().length > 0)
  slow.socket.pause()
  const before = wholeAnswers(slow.text())
  const closed = [stream, slow].map(({ socket }) => once(socket, 'close'))
  let answers = 0
  let failures = 0
  let isLoading = true
  const load = async () => {
    while (isLoading) {
      try {
        await (await fetch(`${address}${PAGE}`)).text()
        answers++
      } catch {
        failures++
        isLoading = false
      }
    }
  }
  const loading = [load(), load(), load()]
  await until(() => answers > 20)
  const signalledMs = performance.now()
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await sleep(300)
  slow.socket.resume()
  const [code] = await ended
  const tookMs = performance.now() - signalledMs
  isLoading = false
  await Promise.all(loading)
  t.equal(code, 0)
  t.ok(tookMs < 10_000, `${Math.round(tookMs)} ms`)
  t.comment(
    `${Math.round(tookMs)} ms from SIGTERM to the exit; ${answers} answers, ${failures} refused after it`
  )
  await Promise.all(closed)
  t.equal(wholeAnswers(stream.text()), 1)
  t.ok(wholeAnswers(slow.text()) > before, 'the slow reader got what was under way')
  t.ok(slow.text().endsWith('\r\n0\r\n\r\n') || slow.text().includes(' 503 '), 'and no half of an answer')
  await until(() => {
    const { kalshi, polymarket } = simulator.stats()
    return kalshi.connections === 0 && polymarket.connections.length === 0
  })
})

t.test('a reader that never reads does not hold the exit up', async (t) => {
  const { child, address, port, log } = await serve(t, settingsOf(await venues(t)))
  await until(() => isReady(address))
  const stuck = asking(t, port, STREAM, AHEAD)
  await until(() => stuck.socket.bytesWritten > 0)
  await until(async () => (await fetch(`${address}${PAGE}`)).ok)
  const signalledMs = performance.now()
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  t.equal((await ended)[0], 0)
  const tookMs = performance.now() - signalledMs
  t.ok(tookMs < 10_000, `${Math.round(tookMs)} ms`)
  t.comment(
    `${Math.round(tookMs)} ms; ${log.filter((line) => line.includes('cut off')).length} line of answers cut off`
  )
})

t.test(
  'SIGTERM takes leave of every stream with 1001, and a deaf one does not hold the exit up',
  async (t) => {
    const { child, address } = await serve(t, settingsOf(await venues(t)))
    await until(() => isReady(address))
    const url = `${address.replace('http', 'ws')}/v1/stream`
    const streams = Array.from({ length: 20 }, () => new WebSocket(url))
    await Promise.all(streams.map((stream) => once(stream, 'open')))
    let messages = 0
    for (const stream of streams) {
      stream.on('message', () => messages++)
      stream.send('{"op":"subscribe","id":"books","channel":"book"}')
    }
    await until(() => messages > 2_000)
    const [deaf, ...others] = streams as [WebSocket, ...WebSocket[]]
    deaf.pause()
    const closed = Promise.all(others.map((stream) => once(stream, 'close')))
    const signalledMs = performance.now()
    const ended = once(child, 'exit')
    child.kill('SIGTERM')
    t.equal((await ended)[0], 0)
    const tookMs = performance.now() - signalledMs
    for (const [code] of await closed) t.equal(code, 1_001)
    t.ok(tookMs < 5_000, `${Math.round(tookMs)} ms`)
    deaf.terminate()
  }
)

t.test('a second signal ends it at once', async (t) => {
  const { child, address, port, log } = await serve(t, settingsOf(await venues(t)))
  await until(() => isReady(address))
  const stuck = asking(t, port, STREAM, AHEAD)
  await until(() => stuck.socket.bytesWritten > 0)
  await until(async () => (await fetch(`${address}${PAGE}`)).ok)
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  await until(() => log.some((line) => line.includes('"closing"')))
  const signalledMs = performance.now()
  child.kill('SIGTERM')
  const [code] = await ended
  t.ok(performance.now() - signalledMs < 1_000)
  t.equal(code, 1, 'it says that it did not finish')
})

t.test(
  'a venue that is down at the start stops neither the other nor the process, and is taken up later',
  async (t) => {
    const simulator = await venues(t)
    simulator.faults.set('kalshi', 'refuse_upgrade', { status: 503 })
    simulator.faults.set('kalshi', 'rest_status', { status: 503 })
    const { address } = await serve(t, { ...settingsOf(simulator), BREAKER_OPEN_MS: '500' })
    const live = async (venue: string) => {
      const health = (await (await fetch(`${address}/v1/healthz`)).json()) as {
        venues: { venue: string; synced: boolean; booksByState: Record<string, number> }[]
      }
      return health.venues.find((one) => one.venue === venue)?.booksByState.live ?? 0
    }
    await until(async () => (await live('polymarket')) > 100)
    t.equal((await fetch(`${address}/v1/markets`)).status, 200, 'the other venue is served')
    t.equal((await fetch(`${address}/v1/readyz`)).status, 503)
    simulator.faults.clearAll()
    await until(async () => (await live('kalshi')) > 100)
    await until(() => isReady(address))
  }
)
