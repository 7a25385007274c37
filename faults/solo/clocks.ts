import { setTimeout as sleep } from 'node:timers/promises'
import type { BookSample, Sample } from '../sample.ts'
import { messagesLost, on, type Solo, whole } from './place.ts'
import { undisturbed } from './undisturbed.ts'

/** The hour passes this much faster; more, and the pauses of a busy machine would look like silence. */
const HOUR_SPEED = 30
const HOUR_MS = 3_600_000 / HOUR_SPEED
/** Sudden silence is doubted until it was asked about. What a busy machine takes for that passes so fast here, too. */
const ASKED_WITHIN_MS = 10_000

export const ourClockJumps: Solo = {
  name: 'our clock jumps',
  venue: 'both',
  run: () =>
    on(async (place) => {
      const before = await whole(place)
      for (const offsetMs of [3_600_000, -3_600_000, 0]) {
        await place.gateway.process.tell({ offsetMs })
        await sleep(4_000)
      }
      return undisturbed(before, place.samples, await messagesLost(place))
    })
}

export const quietHour: Solo = {
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
      const endOfDoubtMs = before.atMs + ASKED_WITHIN_MS
      const judged = samples.map((sample) => (sample.atMs < endOfDoubtMs ? withoutSilence(sample) : sample))
      return undisturbed(before, judged, await messagesLost(place), failures)
    })
}

/** Takes right books that are only called silent for live. */
export function withoutSilence(sample: Sample): Sample {
  const books = [...sample.books].map(([id, book]): [string, BookSample] => {
    const isOnlySilent = book.right && book.state === 'stale' && book.reason === 'silent'
    return [id, isOnlySilent ? { ...book, state: 'live', reason: null } : book]
  })
  return { ...sample, books: new Map(books) }
}
