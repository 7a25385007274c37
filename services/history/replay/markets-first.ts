import type { Market } from '../../../schemas/market.ts'
import type { JournalRecord } from '../journal/record.ts'
import { parseMarketBody } from './market-record.ts'
import type { MergedRecord } from './merge.ts'

/** How late a market's record may be: it is written in slices, while the venue answers our subscription. */
const LATE_MAX_MS = 2_000

/**
 * Brings a market forward, before the frames that its record should have preceded: one that is new or begins to trade.
 * What is said of one market keeps its order, and so does everything else.
 */
export class MarketsFirst<Name> {
  private waiting: MergedRecord<Name>[] = []
  /** Of the records that wait, those that are about a market, by its id. */
  private readonly held = new Map<string, number>()
  private readonly ids = new Map<JournalRecord, string>()
  /** What was last said of each market, as far as the records were read. */
  private readonly statuses = new Map<string, Market['status']>()

  /** Takes the next records and returns those that are due, in the order in which they are to be applied. */
  take(run: readonly MergedRecord<Name>[]): MergedRecord<Name>[] {
    const due: MergedRecord<Name>[] = []
    let next = 0
    for (const one of run) {
      const first = this.waiting[next]
      if (one.record.kind === 'market' && this.mayPass(one.record))
        // It has the time of what it comes before.
        due.push({ from: one.from, record: { ...one.record, atMs: first?.record.atMs ?? one.record.atMs } })
      else this.waiting.push(one)
      const beforeMs = one.record.atMs - LATE_MAX_MS
      for (
        let head = this.waiting[next];
        head !== undefined && head.record.atMs < beforeMs;
        head = this.waiting[next]
      ) {
        due.push(this.release(head))
        next++
      }
    }
    this.waiting = this.waiting.slice(next)
    return due
  }

  /** Returns the rest: nothing more comes. */
  finish(): MergedRecord<Name>[] {
    const rest = this.waiting.map((one) => this.release(one))
    this.waiting = []
    return rest
  }

  private mayPass(record: JournalRecord): boolean {
    const { market, removed } = parseMarketBody(record.body.toString())
    const { id, status } = market
    const before = this.statuses.get(id)
    const isNews = removed !== true && (before === undefined || (isTrading(status) && !isTrading(before)))
    if (removed === true) this.statuses.delete(id)
    else this.statuses.set(id, status)
    const held = this.held.get(id) ?? 0
    if (isNews && held === 0) return true
    this.held.set(id, held + 1)
    this.ids.set(record, id)
    return false
  }

  private release(one: MergedRecord<Name>): MergedRecord<Name> {
    const id = this.ids.get(one.record)
    if (id === undefined) return one
    this.ids.delete(one.record)
    const held = (this.held.get(id) as number) - 1
    if (held === 0) this.held.delete(id)
    else this.held.set(id, held)
    return one
  }
}

function isTrading(status: Market['status']): boolean {
  return status === 'open' || status === 'halted'
}
