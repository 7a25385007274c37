import { integerOrNull, isObject } from './parse.ts'
import { CHANNELS } from './urls.ts'

/** A command of ours as far as it changes what a subscription carries. */
export interface SentCommand {
  id: number | null
  action: 'subscribe' | 'unsubscribe' | 'add_markets' | 'delete_markets' | 'get_snapshot'
  /** What a `subscribe` names; null for the others. */
  channel: string | null
  /** The subscription that it is about; null for a `subscribe`. */
  sid: number | null
  tickers: readonly string[]
}

const ACTIONS: ReadonlySet<unknown> = new Set(['add_markets', 'delete_markets', 'get_snapshot'])

/** Returns what a text that `Commands` sent says, or null for anything else. Never throws. */
export function parseSentCommand(text: string): SentCommand | null {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (!isObject(value) || !isObject(value.params)) return null
  const { cmd, params } = value
  const { channels, sids, action, market_tickers } = params
  const id = integerOrNull(value.id)
  const tickers = Array.isArray(market_tickers) ? market_tickers.map(String) : []
  const sid = Array.isArray(sids) ? integerOrNull(sids[0]) : null
  if (cmd === 'subscribe') {
    const channel = Array.isArray(channels) ? String(channels[0]) : null
    return { id, action: 'subscribe', channel, sid: null, tickers }
  }
  if (cmd === 'unsubscribe') return { id, action: 'unsubscribe', channel: null, sid, tickers }
  return ACTIONS.has(action)
    ? { id, action: action as SentCommand['action'], channel: null, sid, tickers }
    : null
}

export function isBookChannel(channel: string | null): boolean {
  return channel === CHANNELS.orderBook
}
