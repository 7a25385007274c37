import type { StreamFilter, StreamSubscribe } from './messages.gen.ts'

/** Which markets: at most one of the four; none of them means all. */
export interface MarketChoice {
  /** Market ids, such as `kalshi:KXFED-26DEC-T3.75`. */
  markets?: readonly string[]
  /** Id of an event: its markets. */
  event?: string
  venue?: NonNullable<StreamSubscribe['venue']>
  /** As in `GET /v1/markets`. */
  filter?: StreamFilter
}

/** What a subscription asks for, with nothing left out. */
export interface Question extends MarketChoice {
  channel: StreamSubscribe['channel']
  /** Levels a side; only for depth. */
  depth?: number
  /** Shortest time between two messages; only for depth and health. */
  intervalMs?: number
}

/** Returns the same text for questions that ask for the same: the gateway takes each only once on a connection. */
export function questionKey({ channel, markets, event, venue, filter, depth, intervalMs }: Question): string {
  const { status, state, source, q } = filter ?? {}
  const ids = markets && [...new Set(markets)].sort()
  const chosen = [ids, event, venue ?? filter?.venue, status, state, source, q?.toLowerCase()]
  return JSON.stringify([channel, ...chosen, depth, intervalMs])
}

/** Returns the message that asks a question. */
export function subscribeMessage(
  id: string,
  { channel, markets, event, venue, filter, depth, intervalMs }: Question,
  policy: NonNullable<StreamSubscribe['policy']>,
  resume: StreamSubscribe['resume'] | null
): StreamSubscribe {
  return {
    op: 'subscribe',
    id,
    channel,
    ...(markets && { markets: [...markets] }),
    ...(event !== undefined && { event }),
    ...(venue !== undefined && { venue }),
    ...(filter && { filter }),
    ...(depth !== undefined && { depth }),
    ...(intervalMs !== undefined && { intervalMs }),
    policy,
    ...(resume && { resume })
  }
}
