import { get } from 'node:http'
import t from 'tap'
import type { Config } from '../../schemas/config.ts'
import { CLOSE_REASONS } from '../../services/stream/close-codes.ts'
import { differences } from '../services/stream/held-stream.ts'
import { EventClient } from './event-client.ts'
import { BOOKS, Client, until } from './stream-client.ts'
import { churn, lastSeq, served } from './stream-gateway.ts'

const BUFFER_MAX = 131_072

/** As a client that looks for it finds the reason for the end. */
const comment = (why: keyof typeof CLOSE_REASONS) => CLOSE_REASONS[why].join(' ')

t.test('server-sent events carry the same, and resume by Last-Event-ID', async (t) => {
  const { app, address, ids, store } = await served(t, 2)
  const question = `channel=book&markets=${ids[0]}&markets=${ids[1]}`
  const { slot } = store.get(ids[0] as string) as { slot: number }
  const change = async (size: number) => {
    store.books.arena.setLevel(slot, 0, 2_000, size)
    store.books.touch(slot)
    await lastSeq(app)
  }
  const one = await new EventClient(address, question).begun()
  t.match(one.response?.headers['content-type'], 'text/event-stream')
  await until(() => one.held.isWhole)
  await change(1_000_000)
  await until(() => one.messages.length === 3)
  t.match(one.events, [
    { event: 'subscribed', id: null },
    { event: 'snapshot', id: /-0$/ },
    { event: 'change', id: /-1$/ }
  ])
  one.end()
  await until(() => app.streamHub.status().clients === 0)
  for (const size of [2_000_000, 3_000_000, 4_000_000]) await change(size)
  const again = new EventClient(address, question, one)
  await until(() => again.held.seq === 4)
  t.match(again.messages, [{ type: 'subscribed', resumed: true, seq: 1 }, { seq: 2 }, { seq: 3 }, { seq: 4 }])
  t.same(differences(again.held.books, store, ids), [])
  const old = new EventClient(address, `${question}&lastEventId=another.9-3`)
  await until(() => old.held.isWhole)
  t.same(
    old.events.map(({ event }) => event),
    ['subscribed', 'resync', 'snapshot']
  )
  t.same([one.error, again.error, old.error], [null, null, null])
  for (const client of [again, old]) client.end()
})

t.test('a question for server-sent events that is wrong is answered as any request', async (t) => {
  const { address } = await served(t, 1)
  const ask = async (path: string) => {
    const response = await fetch(`${address}${path}`)
    return [response.status, ((await response.json()) as { code?: string }).code]
  }
  t.same(await ask('/v1/stream/sse'), [400, 'BAD_REQUEST'])
  t.same(await ask('/v1/stream/sse?channel=alerts'), [400, 'BAD_REQUEST'])
  t.same(await ask('/v1/stream/sse?channel=book&depth=3'), [400, 'BAD_MESSAGE'])
  t.same(await ask('/v1/stream/sse?channel=book&markets=kalshi:NOPE'), [404, 'MARKET_NOT_FOUND'])
  t.same(await ask('/v1/stream'), [426, 'UPGRADE_REQUIRED'])
})

t.test('a client of events that stops reading is told the latest, or is closed and resumes', async (t) => {
  const { app, address, ids, store } = await served(t, 20, { STREAM_CLIENT_BUFFER_MAX: BUFFER_MAX })
  const { streamHub } = app
  const stalled = await Promise.all([1, 2].map(() => new EventClient(address, 'channel=book').begun()))
  const leaving = await new EventClient(address, 'channel=book&policy=disconnect').begun()
  const quick = await new EventClient(address, 'channel=book').begun()
  const all = [...stalled, leaving, quick]
  await until(() => all.every(({ held }) => held.isWhole))
  for (const one of [...stalled, leaving]) one.pause()
  const stop = churn(app, ids, 40)
  let peakBytes = 0
  await until(() => {
    const { waitingBytes, closedSlow } = streamHub.status()
    peakBytes = Math.max(peakBytes, waitingBytes)
    // The kernel takes more for one than for the other.
    return closedSlow === 1 && waitingBytes >= 3 * BUFFER_MAX
  })
  const fullAt = quick.held.seq
  await until(() => quick.held.seq > fullAt + 1)
  stop()
  leaving.resume()
  await until(() => leaving.isOver)
  t.equal(leaving.comments.at(-1), comment('slow'))
  // Of each client: the limit, and one message above it.
  t.ok(peakBytes < 4 * (BUFFER_MAX + 65_536), `${peakBytes} bytes waited for four clients`)

  const goOn = churn(app, ids, 5)
  for (const one of stalled) one.resume()
  await until(() => stalled.every(({ held }) => held.lags > 0 && held.isWhole))
  goOn()
  const back = new EventClient(address, 'channel=book&policy=disconnect', leaving)
  const last = await lastSeq(app)
  const now = [...stalled, quick, back]
  await until(() => now.every(({ held }) => held.seq === last && held.isWhole))
  t.match(back.messages[0], { type: 'subscribed', resumed: true })
  t.equal(quick.held.lags, 0)
  t.ok(
    stalled[0]?.events.some(({ event, id }) => event === 'lag' && id === null),
    'a lag is no place to resume'
  )
  for (const { held, error } of now) {
    t.equal(error, null)
    t.same(differences(held.books, store, ids), [])
  }
  for (const one of now) one.end()
})

const UNREAD: [why: 'stalled' | 'silent', settings: Partial<Config>][] = [
  ['stalled', { STREAM_STALL_TIMEOUT_MS: 1_000 }],
  ['silent', { STREAM_IDLE_TIMEOUT_MS: 1_000, STREAM_KEEP_ALIVE_MS: 100 }]
]
for (const [why, settings] of UNREAD)
  t.test(`a client of events that reads nothing for too long is closed as ${why}`, async (t) => {
    const { app, address, ids } = await served(t, 20, { STREAM_CLIENT_BUFFER_MAX: BUFFER_MAX, ...settings })
    const { streamHub } = app
    let end = ''
    let isOver = false
    let resume = () => {}
    const request = get(`${address}/v1/stream/sse?channel=book`, { agent: false }, (response) => {
      response.setEncoding('utf8').pause()
      resume = () => response.resume()
      response.on('data', (chunk: string) => {
        end = (end + chunk).slice(-200)
      })
      response.on('error', () => {})
      response.on('close', () => {
        isOver = true
      })
    })
    t.teardown(() => request.destroy())
    await until(() => streamHub.status().subscriptions === 1)
    const stop = churn(app, ids, 40)
    await until(() => streamHub.status().subscriptions === 0)
    stop()
    resume()
    await until(() => isOver && streamHub.status().clients === 0)
    t.ok(end.endsWith(`: ${comment(why)}\n\n`), JSON.stringify(end.slice(-80)))
    t.match(streamHub.status(), { waitingBytes: 0, closedSlow: 0 })
  })

t.test('a quiet client of events is kept alive by comments that it need not answer', async (t) => {
  const idleMs = 1_000
  const { app, address } = await served(t, 1, { STREAM_IDLE_TIMEOUT_MS: idleMs, STREAM_KEEP_ALIVE_MS: 100 })
  const one = await new EventClient(address, 'channel=trades').begun()
  const beganMs = performance.now()
  await until(() => one.comments.length > 2 && performance.now() - beganMs > 2 * idleMs)
  t.same(new Set(one.comments), new Set(['']))
  t.equal(one.isOver, false)
  t.match(app.streamHub.status(), { clients: 1, subscriptions: 1 })
  one.end()
  await until(() => app.streamHub.status().clients === 0)
})

t.test('clients of events are counted with the others, and so are their questions', async (t) => {
  const { app, address, ids } = await served(t, 3, { STREAM_CLIENTS_MAX: 2, STREAM_TOPICS_MAX: 1 })
  const refused = async (question: string) => {
    const response = await fetch(`${address}/v1/stream/sse?${question}`)
    const { code } = (await response.json()) as { code: string }
    return [response.status, code, response.headers.has('retry-after')]
  }
  const first = await new EventClient(address, `channel=book&markets=${ids[0]}`).begun()
  await until(() => first.held.isWhole)
  t.same(await refused(`channel=book&markets=${ids[1]}`), [503, 'TOO_MANY_TOPICS', true])
  const socket = await new Client(address).ask({ ...BOOKS, markets: [ids[0]] })
  await until(() => socket.held.isWhole)
  t.same(await refused(`channel=book&markets=${ids[0]}`), [503, 'TOO_MANY_CLIENTS', true])
  const late = new Client(address)
  await until(() => late.closed !== null)
  t.same(late.closed, [...CLOSE_REASONS.too_many_clients])
  t.match(app.streamHub.status(), { clients: 2, subscriptions: 2, topics: 1 })
  first.end()
  await until(() => app.streamHub.status().clients === 1)
  const next = await new EventClient(address, `channel=book&markets=${ids[0]}`).begun()
  await until(() => next.held.isWhole)
  t.equal(next.error, null)
  next.end()
})
