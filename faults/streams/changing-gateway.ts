import type { AddressInfo } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { buildApp } from '../../app.ts'
import { kalshiMarket } from '../../bench/synthetic/market.ts'
import { NO, YES } from '../../services/orderbook/arena.ts'
import { readSettings } from '../../services/settings.ts'
import { getAggregate } from '../../services/snapshots/aggregate.ts'
import type { MarketRecord } from '../../services/snapshots/market-record.ts'
import { createRandom } from '../../simulator/model/random.ts'

const LEVELS = 40
const BEAT_MS = 10
/** Beyond any book here. */
const ALL_LEVELS = 10_000
/** Bids of either outcome stay below half a dollar: a book never crosses. */
const PRICE_MAX = 4_999
const SIZE_MAX = 2_000_000_000

/** A gateway without venues whose books somebody changes at a given pace, one change a market and turn: each is told by itself. */
export class ChangingGateway {
  readonly app: FastifyInstance
  readonly port: number
  readonly records: readonly MarketRecord[]
  /** Changes made since the start. */
  changes = 0
  private readonly random = createRandom(11).next
  private timer: NodeJS.Timeout | undefined
  private next = 0

  private constructor(app: FastifyInstance, records: readonly MarketRecord[]) {
    this.app = app
    this.records = records
    this.port = (app.server.address() as AddressInfo).port
  }

  static async start(markets: number, settings: NodeJS.ProcessEnv = {}): Promise<ChangingGateway> {
    const config = readSettings({ LOG_LEVEL: 'silent', HISTORY: 'off', PORT: '0', ...settings })
    const app = await buildApp({ config, feeds: 'none' })
    const records: MarketRecord[] = []
    for (let n = 0; n < markets; n++) {
      const record = app.snapshotStore.put(kalshiMarket(n), '')
      if (record !== null) records.push(record)
    }
    await app.listen({ host: '127.0.0.1', port: config.PORT })
    const gateway = new ChangingGateway(app, records)
    for (const { slot } of records) {
      for (let n = 0; n < LEVELS; n++) gateway.changeLevel(slot)
      app.snapshotStore.books.resynced(slot)
      app.snapshotStore.books.touch(slot)
    }
    return gateway
  }

  get ids(): string[] {
    return this.records.map(({ id }) => id)
  }

  /** Returns the book of a market as it is: what every reader should come to hold. */
  bookOf(record: MarketRecord) {
    const { snapshotStore } = this.app
    const { orderBook, verdict } = getAggregate(snapshotStore, record, ALL_LEVELS)
    return { id: record.id, version: this.versionOf(record), ...orderBook, verdict }
  }

  versionOf({ slot }: MarketRecord): number {
    return this.app.snapshotStore.books.versions[slot] as number
  }

  /** Changes books so many times a second, until it is stopped. */
  run(changesPerSecond: number): void {
    const startedMs = performance.now()
    let made = 0
    let isTold = true
    this.timer = setInterval(() => {
      // Under load a timer fires twice in one turn of the event loop, and books are told at its end.
      if (!isTold) return
      isTold = false
      const due = Math.floor(((performance.now() - startedMs) * changesPerSecond) / 1_000) - made
      // More than one change of a market in a turn would be told as one.
      const now = Math.min(due, this.records.length)
      for (let n = 0; n < now; n++) this.changeNext()
      made += now
      setImmediate(() => {
        isTold = true
      })
    }, BEAT_MS)
  }

  pause(): void {
    clearInterval(this.timer)
  }

  /** Makes one change of the market whose turn it is. */
  changeNext(levels = 1): void {
    const { slot } = this.records[this.next++ % this.records.length] as MarketRecord
    const { books } = this.app.snapshotStore
    for (let n = 0; n < levels; n++) this.changeLevel(slot)
    books.received(slot, Date.now(), Number.NaN, this.changes)
    books.touch(slot)
    this.changes++
  }

  async close(): Promise<void> {
    this.pause()
    await this.app.close()
  }

  /** Never leaves the book as it was. */
  private changeLevel(slot: number): void {
    const { arena } = this.app.snapshotStore.books
    const outcome = this.random() < 0.5 ? YES : NO
    const price = 1 + Math.floor(this.random() * PRICE_MAX)
    const isThere = arena.sizeOf(slot, outcome, price) > 0
    // Few prices are ever hit twice: what is there is found by its place, so that levels go as they come.
    const place = Math.floor(this.random() * arena.count(slot, outcome))
    const chosen = this.random() < 0.5 && arena.count(slot, outcome) > LEVELS / 2 ? place : -1
    if (chosen >= 0) arena.setLevel(slot, outcome, arena.priceAt(slot, outcome, chosen), 0)
    else if (!isThere) arena.setLevel(slot, outcome, price, 1 + Math.floor(this.random() * SIZE_MAX))
    else arena.changeLevel(slot, outcome, price, 1)
  }
}
