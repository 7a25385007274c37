import { BookTable } from '../../services/integrity/book-table.ts'
import { KalshiBooks } from '../../services/kalshi/books.ts'
import type { KalshiConnection } from '../../services/kalshi/subscriptions.ts'
import { topOf } from '../../simulator/kalshi/book.ts'
import { deltaBody, frame, snapshotBody, tickerBody, tradeBody } from '../../simulator/kalshi/frames.ts'
import type { SimMarket, World } from '../../simulator/model/types.ts'
import { PATIENCE_FRAMES, type RealFrame, type Source, type Twin } from './source.ts'

const SID = 1
const FORM = { form: 'fixed', yesPrice: false } as const
const CAPACITY_LEVELS = 65_536

/** Kalshi's frames as the simulator writes them, and the books that read them. */
export class KalshiSource implements Source {
  readonly twins: [Twin, Twin]
  readonly #world: World
  readonly #markets: SimMarket[]
  readonly #wanted = new Set<number>()
  readonly #ready: RealFrame[] = []
  #waited = 0
  #seq = 0

  constructor(world: World, now: () => number) {
    this.#world = world
    this.#markets = world.markets('kalshi')
    this.twins = [this.#twin(true, now), this.#twin(false, now)]
  }

  next(): RealFrame {
    if (this.#wanted.size > 0) this.#waited++
    if (this.#ready.length === 0 && this.#waited > PATIENCE_FRAMES) this.#answer()
    while (this.#ready.length === 0) this.#step()
    return this.#ready.shift() as RealFrame
  }

  heal(): string[] {
    // A new connection counts from 1 and gives every book its snapshot.
    this.#seq = 0
    this.#ready.length = 0
    this.#wanted.clear()
    for (const twin of this.twins) twin.reconnect()
    for (const market of this.#markets) this.#snapshot(market)
    return this.#ready.splice(0).map(({ text }) => text)
  }

  trueBooks(): SimMarket[] {
    return this.#markets
  }

  #answer(): void {
    this.#waited = 0
    for (const slot of this.#wanted) this.#snapshot(this.#markets[slot])
    this.#wanted.clear()
  }

  #step(): void {
    const happening = this.#world.step('kalshi')
    const { market, atMs } = happening
    const stamp = { ms: atMs, micros: 0 }
    if (happening.kind !== 'levels' && happening.kind !== 'match') return
    const changes =
      happening.kind === 'levels'
        ? happening.changes
        : [...happening.consumed, ...(happening.remainder === null ? [] : [happening.remainder])]
    const ordered = [
      ...changes.filter((one) => one.changeE6 < 0),
      ...changes.filter((one) => one.changeE6 > 0)
    ]
    for (const change of ordered) {
      const body = deltaBody(market, change, FORM, stamp)
      if (body !== null) this.#put(frame('orderbook_delta', SID, ++this.#seq, body))
    }
    if (happening.kind === 'match') {
      for (const trade of happening.trades)
        this.#put(frame('trade', SID + 1, null, tradeBody(market, trade, 'fixed', stamp)))
      this.#put(frame('ticker', SID + 2, null, tickerBody(market, topOf(market.book), 'fixed', stamp)))
    }
  }

  #snapshot(market: SimMarket | undefined): void {
    if (market === undefined) return
    this.#put(frame('orderbook_snapshot', SID, ++this.#seq, snapshotBody(market, market.book, FORM)), true)
  }

  #put(text: string, heals = false): void {
    this.#ready.push({ text, heals })
  }

  #twin(useScanner: boolean, now: () => number): Twin {
    const table = new BookTable({ capacityMarkets: this.#markets.length, capacityLevels: CAPACITY_LEVELS })
    const wantAll = () => {
      for (let slot = 0; slot < this.#markets.length; slot++) this.#wanted.add(slot)
    }
    const books = new KalshiBooks({
      table,
      useScanner,
      onGap: wantAll,
      onCorrupt: (slot) => this.#wanted.add(slot)
    })
    for (const market of this.#markets) books.follow(market.id, table.allocate())
    let connection: KalshiConnection = books.connection()
    return {
      table,
      counters: books.counters,
      apply: (bytes) => books.apply(bytes, now(), connection),
      reconnect() {
        books.drop(connection)
        connection = books.connection()
        for (const [, slot] of books.followed()) table.raise(slot, 'awaiting_snapshot')
      }
    }
  }
}
