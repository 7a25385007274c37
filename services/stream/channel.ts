import type { Health } from '../../schemas/health.ts'
import type { StreamChannel } from '../../schemas/stream-commands.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import { BodyWriter, type StateBody } from './bodies.ts'
import type { Question } from './question.ts'
import type { StreamStatistics } from './statistics.ts'
import { bestPrices, tickerFault } from './ticker-check.ts'

/** `type` of a channel's live messages, and the field that holds what they tell. */
const MESSAGES: Record<StreamChannel, [type: string, field: string]> = {
  book: ['change', 'books'],
  depth: ['depth', 'depth'],
  ticker: ['tickers', 'tickers'],
  trades: ['trades', 'trades'],
  health: ['health', 'health']
}
export const messageType = (channel: StreamChannel) => MESSAGES[channel][0]
export const payloadField = (channel: StreamChannel) => MESSAGES[channel][1]

/** Stands for the one thing that the channel health tells. */
export const HEALTH_SLOT = -1

export interface StateWriterOptions {
  store: SnapshotStore
  statistics: StreamStatistics
  getHealth: () => Health
  now: () => number
}

interface KeptTicker {
  id: string
  version: number
  body: StateBody
}

/** Writes the latest state of a market for each channel; null where there is none to tell. */
export class StateWriter {
  readonly bodies: BodyWriter
  private readonly options: StateWriterOptions
  /** The newest tickers of each form: cohorts that tell the same version share the bytes. */
  private readonly tickers = {
    crossbook: new Map<number, KeptTicker>(),
    summary: new Map<number, KeptTicker>()
  }

  constructor(options: StateWriterOptions) {
    this.options = options
    this.bodies = new BodyWriter(options.store)
  }

  state(question: Question, slot: number): StateBody | null {
    const { store } = this.options
    if (slot === HEALTH_SLOT) return this.health()
    const record = store.at(slot)
    if (record === undefined) return null
    if (question.channel === 'depth') return this.bodies.depth(record, question.depth)
    if (question.channel === 'ticker') return this.ticker(record, question.form)
    const bytes = this.bodies.wholeBook(record)
    return { bytes, said: bytes }
  }

  forget(slot: number): void {
    for (const kept of Object.values(this.tickers)) kept.delete(slot)
  }

  private health(): StateBody {
    const bytes = Buffer.from(JSON.stringify(this.options.getHealth()))
    return { bytes, said: bytes }
  }

  private ticker(record: MarketRecord, form: Question['form']): StateBody | null {
    const { store, statistics, now } = this.options
    const { slot, id } = record
    const fault = tickerFault(bestPrices(store.books.arena, slot))
    if (fault !== null) {
      statistics.withhold(fault)
      return null
    }
    if (form === 'summary' && store.books.verdicts.reasons[slot] !== 0) {
      statistics.withhold('not_live')
      return null
    }
    const tickers = this.tickers[form]
    const version = store.books.versions[slot] as number
    const kept = tickers.get(slot)
    if (kept?.version === version && kept.id === id) return kept.body
    const body = form === 'summary' ? this.bodies.summary(record, now()) : this.bodies.ticker(record)
    tickers.set(slot, { id, version, body })
    return body
  }
}
