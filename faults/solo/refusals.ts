import { setTimeout as sleep } from 'node:timers/promises'
import type { SimVenue } from '../../simulator/model/types.ts'
import { VENUES, type Venues } from '../venues.ts'
import { isWholeAt, messagesLost, on, type Solo, WHOLE_MS, whole, without } from './place.ts'
import { undisturbed } from './undisturbed.ts'

/** A client that is refused for good may try again now and then; this many times within the watch is a loop. */
const LOOP = 3

/** A venue that answers nothing at the start: the other one must work, and this one must come once it is back. */
export function downAtStart(venue: SimVenue): Solo {
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
            ...undisturbed(hide(before), samples.map(hide), await messagesLost(place), failures),
            recoveredMs: back === null ? null : back.atMs - backMs
          }
        },
        {
          spoil: async (venues) => {
            await venues.setFault(venue, 'rest_status', { status: 503 })
            await venues.setFault(venue, 'refuse_upgrade')
          }
        }
      )
  }
}

/** A refusal that does not pass: we must say so and not knock again and again. */
export function refusedForGood(name: string, spoil: (venues: Venues) => Promise<void>): Solo {
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
        // Kalshi's books are polled now, and answers of REST count as frames: what it lost cannot be told.
        const lost = await messagesLost(place, ['polymarket'])
        const row = undisturbed(without('kalshi')(before), others, lost, failures)
        return { ...row, detected: refused ? { by: 'note', afterMs } : null }
      })
  }
}
