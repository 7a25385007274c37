import type { Happening, SimEvent, SimMarket } from '../model/types.ts'
import { exchangeIndex, isCombo, type JsonObject, priceGrid, strikeFields } from './objects.ts'
import { seconds } from './text.ts'

/** One message of a lifecycle channel: its `type` and `msg`. */
export interface LifecycleMessage {
  type: string
  msg: JsonObject
}

/** Returns the channel on which a market's lifecycle is told: combos have one of their own. */
export function lifecycleChannel(ticker: string): 'market_lifecycle_v2' | 'multivariate_market_lifecycle' {
  return isCombo(ticker) ? 'multivariate_market_lifecycle' : 'market_lifecycle_v2'
}

/**
 * Returns what the venue announces of a happening, in order. Books, the opening at `open_time` and the close
 * at `close_time` are announced to nobody: the answer is empty.
 */
export function lifecycleMessages(happening: Happening): LifecycleMessage[] {
  const { market, atMs } = happening
  const change = (eventType: string, fields: JsonObject = {}): LifecycleMessage[] => [
    {
      type: lifecycleChannel(market.id),
      msg: { market_ticker: market.id, event_type: eventType, ...fields }
    }
  ]
  switch (happening.kind) {
    case 'listed': {
      const messages = change('created', createdFields(market))
      const isFirst = market.event.markets.length === 1
      return isFirst ? [...messages, { type: 'event_lifecycle', msg: eventFields(market.event) }] : messages
    }
    case 'paused':
      return change('deactivated', { is_deactivated: true })
    case 'resumed':
      return change('activated', { is_deactivated: false })
    case 'close_moved':
      return change('close_date_updated', { close_ts: seconds(market.closeMs) })
    case 'determined':
      return change('determined', {
        result: market.result ?? '',
        settlement_value: market.result === 'yes' ? '1.0000' : '0.0000',
        determination_ts: seconds(atMs)
      })
    case 'settled':
      return change('settled', { settled_ts: seconds(atMs) })
    case 'tick_changed':
      return change('price_level_structure_updated', priceGrid(market.tickE4))
    default:
      return []
  }
}

function createdFields(market: SimMarket): JsonObject {
  const combo = isCombo(market.id)
  return {
    exchange_index: exchangeIndex(market.event),
    open_ts: seconds(market.openMs),
    close_ts: seconds(market.closeMs),
    ...priceGrid(market.tickE4),
    additional_metadata: {
      name: combo ? '' : market.yesLabel,
      title: market.title,
      yes_sub_title: combo ? '' : market.yesLabel,
      no_sub_title: combo ? '' : market.noLabel,
      rules_primary: combo ? '' : market.rules,
      rules_secondary: '',
      can_close_early: !combo,
      event_ticker: market.event.id,
      expected_expiration_ts: combo ? 0 : seconds(market.closeMs) + 300,
      ...(combo ? {} : { strike_type: market.strike.type, ...strikeFields(market) })
    }
  }
}

function eventFields(event: SimEvent): JsonObject {
  return {
    event_ticker: event.id,
    exchange_index: exchangeIndex(event),
    title: event.title,
    subtitle: '',
    collateral_return_type: event.mutuallyExclusive ? 'MECNET' : '',
    series_ticker: event.series
  }
}
