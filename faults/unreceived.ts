import { setTimeout as sleep } from 'node:timers/promises'
import type { FaultName } from '../simulator/faults.ts'
import type { SimVenue } from '../simulator/model/types.ts'
import type { Gateway } from './gateway.ts'
import type { Venues } from './venues.ts'

const STILL_TRIES = 40
const STILL_MOMENTS = 5
/** What has not come for so long after the last message was sent does not come any more. */
const SETTLED_MS = 1_000
const SETTLE_TIMEOUT_MS = 10_000

/** What the counting asks of both ends. */
export type Sender = Pick<Venues, 'state'>
export type Receiver = Pick<Gateway, 'venue'>

/**
 * Resolves to the messages that the venue has sent so far, or kept back by the fault that `withholds` names, and the
 * gateway has not received; null where no still moment was found to count them in.
 */
export async function unreceived(
  venues: Sender,
  gateway: Receiver,
  venue: SimVenue,
  withholds?: FaultName
): Promise<number | null> {
  const counts: number[] = []
  for (let tries = 0; tries < STILL_TRIES && counts.length < STILL_MOMENTS; tries++) {
    const first = await sent(venues, venue, withholds)
    const frames = (await gateway.venue(venue))?.counters.frames ?? 0
    if (first === (await sent(venues, venue, withholds))) counts.push(first - frames)
    await sleep(7)
  }
  // What was on its way at one of these moments was lost at none.
  return counts.length > 0 ? Math.min(...counts) : null
}

/**
 * Resolves to the messages of one venue that have not reached a gateway which knows it alone, and never will, once
 * nothing more is sent: to be asked while the model stands still. Null where the count does not come to rest.
 */
export async function lostForGood(
  venues: Sender,
  gateway: Receiver,
  venue: SimVenue
): Promise<number | null> {
  const endMs = performance.now() + SETTLE_TIMEOUT_MS
  let last: number | null = null
  let sinceMs = performance.now()
  while (performance.now() < endMs) {
    const count = await unreceived(venues, gateway, venue)
    if (count === 0) return 0
    if (count !== last) {
      last = count
      sinceMs = performance.now()
    } else if (count !== null && performance.now() - sinceMs > SETTLED_MS) return count
    await sleep(50)
  }
  return null
}

async function sent(venues: Sender, venue: SimVenue, withholds: FaultName | undefined): Promise<number> {
  const { wires, firings } = await venues.state()
  const kept = withholds === undefined ? 0 : (firings[`${venue}:${withholds}`]?.count ?? 0)
  const { kalshi, polymarket } = wires
  // Pongs are answers of the line, not messages.
  return kept + (venue === 'kalshi' ? kalshi.framesSent : polymarket.framesSent - polymarket.pongsSent)
}
