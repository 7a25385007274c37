import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { NO, YES } from '../../services/orderbook/arena.ts'
import { build, market, serve } from '../helper.ts'

const REQUESTS = 900

async function setUp(t: Test, markets: number) {
  const app = await build(t, { VALIDATE_RESPONSES: 'off' })
  const { books } = app.snapshotStore
  for (let n = 0; n < markets; n++) {
    const { slot } = serve(app.snapshotStore, market(n))
    for (let level = 0; level < 100; level++) {
      books.arena.setLevel(slot, YES, 10 + level * 10, 1_234_567 + level)
      books.arena.setLevel(slot, NO, 10 + level * 10, 7_654_321 + level)
    }
  }
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.addresses()[0] as { port: number }
  const socket = connect(port, '127.0.0.1')
  t.teardown(() => socket.destroy())
  await once(socket, 'connect')
  return { app, port, socket }
}

const request = (path: string) => `GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`

/** Reads until so many answers have begun; returns the value of a header of each. */
async function readAnswers(socket: Socket, count: number, header: RegExp): Promise<string[]> {
  const found: string[] = []
  let rest = ''
  for await (const chunk of socket) {
    rest += (chunk as Buffer).toString('latin1')
    for (const [, value] of rest.matchAll(header)) found.push(value as string)
    rest = rest.slice(-200).replaceAll(header, '')
    if (found.length >= count) break
  }
  return found
}

t.test('a client that sends ahead and never reads takes little memory and holds nobody up', async (t) => {
  const { port, socket } = await setUp(t, 500)
  const url = `http://127.0.0.1:${port}/v1/livez`
  await (await fetch(url)).text()
  const before = process.memoryUsage()
  socket.pause()
  socket.write(request('/v1/markets?pageSize=500&depth=100').repeat(REQUESTS))
  let slowestMs = 0
  for (let asked = 0; asked < 30; asked++) {
    const askedMs = performance.now()
    await (await fetch(url)).text()
    slowestMs = Math.max(slowestMs, performance.now() - askedMs)
    await sleep(20)
  }
  const after = process.memoryUsage()
  const grownMiB = (after.rss - before.rss) / 2 ** 20
  t.ok(grownMiB < 200, `memory grew by ${Math.round(grownMiB)} MiB`)
  // Without a bound it waits for minutes, or for ever.
  t.ok(slowestMs < 5_000, `another client waited ${Math.round(slowestMs)} ms at most`)
})

t.test('whoever reads gets every answer, in order', async (t) => {
  const { socket } = await setUp(t, 3)
  const paths = Array.from({ length: 200 }, (_, i) => `/v1/nowhere-${i}`)
  socket.write(paths.map(request).join(''))
  const bodies = await readAnswers(socket, paths.length, /nothing is served at (\S+):/g)
  t.same(bodies, paths)
})

t.test('more than any honest client sends ahead closes the connection', async (t) => {
  const { port, socket } = await setUp(t, 500)
  socket.on('error', () => {})
  const closed = once(socket, 'close')
  const short = 'GET / HTTP/1.1\r\nhost:x\r\n\r\n'.repeat(2_300)
  socket.write(request('/v1/markets?pageSize=500&depth=100') + short)
  socket.resume()
  await closed
  t.equal((await fetch(`http://127.0.0.1:${port}/v1/livez`)).status, 200, 'others are served on')
})
