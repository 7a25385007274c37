import type { EventHeader } from '../../schemas/event.ts'
import type { Market } from '../../schemas/market.ts'
import type { ChangeConsumer } from '../snapshots/change-bus.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { JournalSink } from './journal-tap.ts'
import { formatMarketBody, type MarketBody } from './replay/market-record.ts'

export interface MarketJournalOptions {
  store: SnapshotStore
  /** By venue. */
  journals: ReadonlyMap<string, JournalSink>
  now: () => number
}

/** Markets that are looked at in one turn. */
const SLICE = 200

/** Writes what venues say of their markets into their journals, so that a journal can be replayed by itself. */
export class MarketJournal {
  private readonly options: MarketJournalOptions
  private readonly told: ({ body: MarketBody; metaVersion: number } | undefined)[] = []
  private consumer: ChangeConsumer | null = null

  constructor(options: MarketJournalOptions) {
    this.options = options
  }

  /** Writes every market that is served, and from then on what changes. */
  start(): void {
    const { store } = this.options
    this.consumer = store.consume(() => this.work())
    for (const { slot } of store.records()) this.look(slot)
  }

  stop(): void {
    this.consumer?.close()
    this.consumer = null
  }

  private work(): void {
    const left = this.consumer?.drain((slot) => this.look(slot), SLICE) ?? 0
    if (left > 0) setImmediate(() => this.work())
  }

  private look(slot: number): void {
    const { store } = this.options
    const record = store.at(slot)
    const told = this.told[slot]
    if (told !== undefined && told.body.market.id !== record?.id) {
      this.write({ ...told.body, removed: true })
      this.told[slot] = undefined
    }
    if (record === undefined || this.told[slot]?.metaVersion === record.metaVersion) return
    const { market, rules, metaVersion } = record
    const body: MarketBody = { market, rules, event: this.eventOf(market) }
    this.told[slot] = { body, metaVersion }
    this.write(body)
  }

  private eventOf({ eventId }: Market): EventHeader | null {
    const event = eventId === null ? undefined : this.options.store.getEvent(eventId)
    if (event === undefined) return null
    const { marketIds: _marketIds, ...header } = event
    return header
  }

  private write(body: MarketBody): void {
    const { journals, now } = this.options
    journals.get(body.market.venue)?.appendText('market', now(), 0, formatMarketBody(body))
  }
}
