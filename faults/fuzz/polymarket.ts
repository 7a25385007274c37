import { BookTable } from '../../services/integrity/book-table.ts'
import { PolymarketBooks } from '../../services/polymarket/books.ts'
import type { Happening, LevelChange, SimMarket, World } from '../../simulator/model/types.ts'
import { bestTexts, hashView, viewBook } from '../../simulator/polymarket/book-view.ts'
import {
  bestBidAsk,
  dumpBook,
  lastTradePrice,
  priceChange,
  tickSizeChange,
  tradeBook
} from '../../simulator/polymarket/messages.ts'
import { PATIENCE_FRAMES, type RealFrame, type Source, type Twin } from './source.ts'

const CAPACITY_LEVELS = 65_536
const HASH = `0x${'ab'.repeat(32)}`

/** Polymarket's frames as the simulator writes them, and the books that read them. */
export class PolymarketSource implements Source {
  readonly twins: [Twin, Twin]
  readonly #world: World
  readonly #markets: SimMarket[]
  readonly #wanted = new Set<number>()
  readonly #ready: RealFrame[] = []
  #waited = 0

  constructor(world: World, now: () => number) {
    this.#world = world
    this.#markets = world.markets('polymarket')
    this.twins = [this.#twin(true, now), this.#twin(false, now)]
  }

  next(): RealFrame {
    if (this.#wanted.size > 0) this.#waited++
    if (this.#ready.length === 0 && this.#waited > PATIENCE_FRAMES) this.#answer()
    while (this.#ready.length === 0) this.#tell(this.#world.step('polymarket'))
    return this.#ready.shift() as RealFrame
  }

  heal(): string[] {
    this.#ready.length = 0
    this.#wanted.clear()
    for (const twin of this.twins) twin.reconnect()
    this.#dump(this.#markets)
    return this.#ready.splice(0).map(({ text }) => text)
  }

  trueBooks(): SimMarket[] {
    return this.#markets
  }

  #answer(): void {
    this.#waited = 0
    this.#dump([...this.#wanted].flatMap((slot) => this.#markets[slot] ?? []))
    this.#wanted.clear()
  }

  #dump(markets: SimMarket[]): void {
    const books = markets.flatMap((market) =>
      [0, 1].map((one) => dumpBook(viewBook(market, 0), one as 0 | 1))
    )
    this.#ready.push({ text: `[${books.join(',')}]`, heals: true })
  }

  #tell(happening: Happening): void {
    const { market, atMs } = happening
    const timestamp = String(atMs)
    const put = (...texts: string[]) => {
      for (const text of texts) this.#ready.push({ text, heals: false })
    }
    if (happening.kind === 'tick_changed') {
      for (const outcome of [0, 1] as const)
        put(tickSizeChange(market, outcome, happening.oldTickE4 ?? 100, timestamp))
      return
    }
    if (happening.kind !== 'levels' && happening.kind !== 'match') return
    const changes: LevelChange[] =
      happening.kind === 'levels'
        ? happening.changes
        : [...(happening.remainder === null ? [] : [happening.remainder]), ...happening.consumed]
    const view = viewBook(market, 0)
    const best = [bestTexts(market, 0, 'zero_one'), bestTexts(market, 1, 'zero_one')] as const
    const hashes = [hashView(view, 0), hashView(view, 1)] as const
    put(bestBidAsk(market, 0, best[0], timestamp))
    for (const change of changes)
      put(priceChange(market, change, change.side === 'bid' ? 0 : 1, { timestamp, hashes, best }))
    if (happening.kind === 'levels') return
    put(tradeBook(view, 0), tradeBook(view, 1))
    for (const trade of happening.trades) put(lastTradePrice(market, trade, HASH, timestamp))
  }

  #twin(useScanner: boolean, now: () => number): Twin {
    const table = new BookTable({ capacityMarkets: this.#markets.length, capacityLevels: CAPACITY_LEVELS })
    // By a clock that stands still within a frame, so that no proof is left out for want of time in one of the two.
    const books = new PolymarketBooks({
      table,
      useScanner,
      steadyNow: now,
      onCorrupt: (_asset, slot) => this.#wanted.add(slot)
    })
    for (const market of this.#markets) books.follow(market.tokens[0], table.allocate(), market.tokens[1])
    return {
      table,
      counters: books.counters,
      apply: (bytes) => books.apply(bytes, now()),
      reconnect() {
        for (const [, slot] of books.followed()) books.awaitSnapshot(slot)
      }
    }
  }
}
