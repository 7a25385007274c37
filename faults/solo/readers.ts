import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import type { Gateway } from '../gateway.ts'
import { VENUES } from '../venues.ts'
import { messagesLost, on, type Solo, whole } from './place.ts'
import { undisturbed } from './undisturbed.ts'

const SLOW_CLIENTS = 20
const EXIT_LIMIT_MS = 10_000

/** Asks for everything and reads nothing; returns how to hang up. */
function slowClient(gateway: Gateway): () => void {
  const asked = request(`${gateway.url}/v1/markets.ndjson?depth=100`, { agent: false })
  asked.on('response', (response) => response.pause())
  asked.on('error', () => {})
  asked.end()
  return () => asked.destroy()
}

/** Asks the stream for every book and reads nothing after the first message; returns how to hang up. */
function slowStreamClient(gateway: Gateway): () => void {
  const socket = new WebSocket(`${gateway.url.replace('http', 'ws')}/v1/stream`)
  socket.on('open', () => socket.send(JSON.stringify({ op: 'subscribe', id: 'all', channel: 'book' })))
  socket.once('message', () => socket.pause())
  socket.on('error', () => {})
  return () => socket.terminate()
}

/** Others must be answered as ever while so many of a kind read nothing, and memory must stay bounded. */
function slowReaders(name: string, slow: (gateway: Gateway) => () => void): Solo {
  return {
    name,
    venue: 'both',
    run: () =>
      on(async (place) => {
        const { gateway, samples } = place
        const before = await whole(place)
        const memoryBefore = await gateway.process.tell()
        const hangUps = Array.from({ length: SLOW_CLIENTS }, () => slow(gateway))
        let slowestMs = 0
        for (let ask = 0; ask < 40; ask++) {
          const askedMs = performance.now()
          await (await fetch(`${gateway.url}/v1/livez`)).text()
          slowestMs = Math.max(slowestMs, performance.now() - askedMs)
          await sleep(200)
        }
        const grown = ((await gateway.process.tell()).rss - memoryBefore.rss) / 1e6
        for (const hangUp of hangUps) hangUp()
        const failures: string[] = []
        if (slowestMs > 1_000) failures.push(`another client waited ${Math.round(slowestMs)} ms`)
        if (grown > 64) failures.push(`memory grew by ${Math.round(grown)} MB`)
        return undisturbed(before, samples, await messagesLost(place), failures)
      })
  }
}

export const slowClients = slowReaders('slow HTTP client', slowClient)
export const slowStreamClients = slowReaders('slow stream client', slowStreamClient)

export const sigterm: Solo = {
  name: 'SIGTERM in the middle of all of it',
  venue: 'both',
  run: () =>
    on(async (place) => {
      const { venues, gateway, sampler, samples } = place
      const before = await whole(place)
      await venues.control('POST', '/rate', { perSecond: 1_000 })
      const hangUp = slowClient(gateway)
      for (const venue of VENUES) {
        await venues.setFault(venue, 'rest_slow', { ms: 4_000 })
        await venues.setFault(venue, 'cut_socket')
      }
      await sleep(300)
      await sampler.stop()
      const { code, tookMs } = await gateway.process.stop(2 * EXIT_LIMIT_MS)
      hangUp()
      const failures = code === 0 ? [] : [`it ended with ${code}`]
      if (tookMs > EXIT_LIMIT_MS) failures.push(`it took ${tookMs} ms to end`)
      // Who has ended cannot be asked what it received.
      const row = undisturbed(before, samples.slice(0, 0), null, failures)
      return { ...row, failures, detected: { by: `exit ${code}`, afterMs: tookMs }, recoveredMs: tookMs }
    })
}
