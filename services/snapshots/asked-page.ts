import { type MarketFilter, queryKey } from './market-queries.ts'
import { stampOfSlots } from './stamp.ts'
import type { SnapshotStore } from './store.ts'

/** Which page is asked for. */
export interface PageQuestion {
  filter: MarketFilter
  page: number
  pageSize: number
  depth: number
}

/**
 * A page that was asked for, and what it shows as of the store's last change that it has seen: asked again before
 * the next one, it costs no look at any market.
 */
export class AskedPage {
  readonly question: PageQuestion
  /** Markets that match, on all pages. */
  total = 0
  /** The slots of the markets on the page, in order. Valid only within the turn that asked for them. */
  slots = new Int32Array(0)
  /** Changes when anything that the page shows changes. */
  stamp = ''
  /** Times that it was put together since the count of all answers stood there: see `KeptBodies`. */
  assembled = 0
  countedFrom = 0
  private readonly store: SnapshotStore
  private readonly key: string
  private revision = -1
  private generation = -1

  constructor(store: SnapshotStore, question: PageQuestion) {
    this.store = store
    this.question = question
    this.key = queryKey(question.filter)
  }

  /** Brings the page up to date. */
  refresh(): void {
    const { store, question } = this
    if (this.revision === store.revision) return
    this.revision = store.revision
    const { filter, page, pageSize, depth } = question
    const { records, generation } = store.queries.read(filter, this.key)
    if (generation !== this.generation) {
      this.generation = generation
      this.total = records.length
      const from = Math.min((page - 1) * pageSize, this.total)
      this.slots = Int32Array.from(records.slice(from, from + pageSize), ({ slot }) => slot)
    }
    this.stamp = stampOfSlots(store, this.slots, [page, pageSize, this.total, depth])
  }
}
