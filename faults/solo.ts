import { request } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SimVenue } from '../simulator/model/types.ts'
import { Gateway } from './gateway.ts'
import { isWhole, type Judgement, judge, type Trial } from './judge.ts'
import type { Row } from './lane.ts'
import { type Sample, Sampler } from './sample.ts'
import { AUDIT_PERIOD_MS } from './scenarios.ts'
import { VENUES, Venues } from './venues.ts'

/** A fault that needs processes of its own. */
export interface Solo {
  name: string
  venue: SimVenue | 'both'
  run: () => Promise<Omit<Row, 'name' | 'venue' | 'tookMs'>>
}

/** The hour passes this much faster; more, and the pauses of a busy machine would look like silence. */
const HOUR_SPEED = 30
const HOUR_MS = 3_600_000 / HOUR_SPEED
const WORLD = { markets: 20, rate: 60, seed: 11 }
const WHOLE_MS = 45_000
/** A client that is refused for good may try again now and then; this many times within the watch is a loop. */
const LOOP = 3
const SLOW_CLIENTS = 20
const EXIT_LIMIT_MS = 10_000

interface Place {
  venues: Venues
  gateway: Gateway
  sampler: Sampler
  samples: Sample[]
}

let started = 0

/** Runs something on a fresh pair of processes; `spoil` comes between the start of the venues and of the gateway. */
async function on<Result>(
  use: (place: Place) => Promise<Result>,
  spoil: (venues: Venues) => Promise<void> = async () => {}
): Promise<Result> {
  const number = ++started
  const venues = await Venues.start(`venues-${number}`, WORLD)
  try {
    await spoil(venues)
    const settings = { ...venues.settings(), AUDIT_PERIOD_MS: String(AUDIT_PERIOD_MS) }
    const gateway = await Gateway.start(`gateway-${number}`, settings)
    const sampler = new Sampler(gateway, venues)
    const samples: Sample[] = []
    sampler.onSample((sample) => samples.push(sample))
    sampler.start()
    try {
      return await use({ venues, gateway, sampler, samples })
    } finally {
      await sampler.stop()
      await gateway.process.stop()
    }
  } finally {
    await venues.process.stop()
  }
}

const isWholeAt = (sample: Sample, venue?: string) => {
  const books = [...sample.books].filter(([id]) => venue === undefined || id.startsWith(`${venue}:`))
  return books.length > 0 && books.every(([, book]) => isWhole(book))
}

/** Both venues whole: the look before a fault. */
async function whole({ sampler }: Place): Promise<Sample> {
  const sample = await sampler.until((one) => VENUES.every((venue) => isWholeAt(one, venue)), WHOLE_MS)
  if (sample === null) throw new Error('the books did not become whole')
  return sample
}

/** Judges something that must disturb nobody, on both venues together. */
function undisturbed(
  before: Sample,
  samples: Sample[],
  more: string[] = []
): Omit<Row, 'name' | 'venue' | 'tookMs'> {
  const judgements = VENUES.map((venue) => {
    const concerned = new Set([...before.books.keys()].filter((id) => id.startsWith(`${venue}:`)))
    const trial: Trial = {
      venue,
      concerned,
      alarms: [],
      isHarmless: true,
      mayReconnect: false,
      limitMs: 750,
      detectMs: 0,
      before,
      firedAtMs: before.atMs,
      samples: samples.filter(({ atMs }) => atMs > before.atMs),
      messagesLost: null
    }
    return judge(trial)
  })
  const [first, second] = judgements as [Judgement, Judgement]
  const sum = (count: (one: Judgement) => number) => count(first) + count(second)
  return {
    detected: null,
    wrongLive: {
      books: sum(({ wrongLive }) => wrongLive.books),
      marketMs: sum(({ wrongLive }) => wrongLive.marketMs),
      longestMs: Math.max(first.wrongLive.longestMs, second.wrongLive.longestMs)
    },
    recoveredMs: first.recoveredMs === null ? null : second.recoveredMs,
    messagesLost: null,
    falseAlarms: {
      books: sum(({ falseAlarms }) => falseAlarms.books),
      reconnects: sum(({ falseAlarms }) => falseAlarms.reconnects),
      example: first.falseAlarms.example ?? second.falseAlarms.example
    },
    failures: [...first.failures, ...second.failures, ...more],
    limitMs: 750,
    signs: []
  }
}

/** A venue that answers nothing at the start: the other one must work, and this one must come once it is back. */
function downAtStart(venue: SimVenue): Solo {
  const other = VENUES.find((one) => one !== venue) as SimVenue
  return {
    name: 'venue down at start',
    venue,
    run: () =>
      on(
        async (place) => {
          const { venues, sampler, samples } = place
          const failures: string[] = []
          const first = await sampler.until((sample) => isWholeAt(sample, other), WHOLE_MS)
          if (first === null) failures.push(`${other} did not come up beside it`)
          const backMs = Date.now()
          await venues.clearFault(venue, 'rest_status')
          await venues.clearFault(venue, 'refuse_upgrade')
          const back = await sampler.until((sample) => isWholeAt(sample, venue), WHOLE_MS)
          if (back === null) failures.push(`it did not come back within ${WHOLE_MS} ms`)
          const before = first ?? samples.at(-1)
          if (before === undefined) throw new Error('the gateway never answered')
          const hide = without(venue)
          return {
            ...undisturbed(hide(before), samples.map(hide), failures),
            recoveredMs: back === null ? null : back.atMs - backMs
          }
        },
        async (venues) => {
          await venues.setFault(venue, 'rest_status', { status: 503 })
          await venues.setFault(venue, 'refuse_upgrade')
        }
      )
  }
}

/** A refusal that does not pass: we must say so and not knock again and again. */
function refusedForGood(name: string, spoil: (venues: Venues) => Promise<void>): Solo {
  return {
    name,
    venue: 'kalshi',
    run: () =>
      on(async (place) => {
        const { venues, gateway, sampler, samples } = place
        const before = await whole(place)
        const knocks = async () => {
          const { upgradesRefused, connectionsOpened } = (await venues.state()).wires.kalshi
          return upgradesRefused + connectionsOpened
        }
        const knocksBefore = await knocks()
        const setAtMs = Date.now()
        await spoil(venues)
        await venues.setFault('kalshi', 'close_socket')
        const refused = await gateway.until(async () => {
          const health = await gateway.venue('kalshi')
          return health?.note != null || health?.connections.some(({ state }) => state === 'refused') === true
        }, 15_000)
        const afterMs = Date.now() - setAtMs
        await sleep(8_000)
        const tries = (await knocks()) - knocksBefore
        await sampler.until(() => true, 5_000)
        const failures = refused ? [] : ['missed: no note and no refused connection within 15 s']
        if (tries > LOOP)
          failures.push(`it knocked ${tries} times in ${Math.round((Date.now() - setAtMs) / 1_000)} s`)
        const others = samples.filter(({ atMs }) => atMs > before.atMs).map(without('kalshi'))
        const row = undisturbed(without('kalshi')(before), others, failures)
        return { ...row, detected: refused ? { by: 'note', afterMs } : null }
      })
  }
}

const without =
  (venue: string) =>
  (sample: Sample): Sample => ({
    ...sample,
    books: new Map([...sample.books].filter(([id]) => !id.startsWith(`${venue}:`))),
    counters: new Map([...sample.counters].filter(([name]) => name !== venue))
  })

const ourClockJumps: Solo = {
  name: 'our clock jumps',
  venue: 'both',
  run: () =>
    on(async (place) => {
      const before = await whole(place)
      for (const offsetMs of [3_600_000, -3_600_000, 0]) {
        await place.gateway.process.tell({ offsetMs })
        await sleep(4_000)
      }
      return undisturbed(before, place.samples)
    })
}

const quietHour: Solo = {
  name: 'quiet hour',
  venue: 'both',
  run: () =>
    on(async (place) => {
      const { venues, gateway, samples } = place
      await whole(place)
      await venues.control('POST', '/rate', { perSecond: 0 })
      const before = await whole(place)
      await Promise.all([
        venues.process.tell({ speed: HOUR_SPEED }),
        gateway.process.tell({ speed: HOUR_SPEED })
      ])
      await sleep(HOUR_MS)
      await Promise.all([venues.process.tell({ speed: 1 }), gateway.process.tell({ speed: 1 })])
      const passedMs = (await gateway.health()).uptimeMs
      const failures = passedMs < 3_600_000 ? [`only ${passedMs} ms passed`] : []
      return undisturbed(before, samples, failures)
    })
}

/** Asks for everything and reads nothing; returns how to hang up. */
function slowClient(gateway: Gateway): () => void {
  const asked = request(`${gateway.url}/v1/markets.ndjson?depth=100`, { agent: false })
  asked.on('response', (response) => response.pause())
  asked.on('error', () => {})
  asked.end()
  return () => asked.destroy()
}

const slowClients: Solo = {
  name: 'slow HTTP client',
  venue: 'both',
  run: () =>
    on(async (place) => {
      const { gateway, samples } = place
      const before = await whole(place)
      const memoryBefore = await gateway.process.tell()
      const hangUps = Array.from({ length: SLOW_CLIENTS }, () => slowClient(gateway))
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
      return undisturbed(before, samples, failures)
    })
}

const sigterm: Solo = {
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
      const row = undisturbed(before, samples.slice(0, 0), failures)
      return { ...row, failures, detected: { by: `exit ${code}`, afterMs: tookMs }, recoveredMs: tookMs }
    })
}

/** In the order in which they are run; the longest last. */
export const SOLO: Solo[] = [
  downAtStart('kalshi'),
  downAtStart('polymarket'),
  refusedForGood('credentials refused', (venues) => venues.setFault('kalshi', 'credentials_refused')),
  refusedForGood('error 9', (venues) => venues.setFault('kalshi', 'kalshi_error', { code: 9, count: 1_000 })),
  ourClockJumps,
  slowClients,
  sigterm,
  quietHour
]

/** Runs them one after the other. */
export async function runSolo(solos: readonly Solo[], note: (row: Row) => void): Promise<void> {
  for (const { name, venue, run } of solos) {
    const startedMs = performance.now()
    const row = await run()
    note({ name, venue, ...row, tookMs: Math.round(performance.now() - startedMs) })
  }
}
