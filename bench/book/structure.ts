import { BookTable } from '../../services/integrity/book-table.ts'
import type { BookArena } from '../../services/orderbook/arena.ts'
import { createRandom } from '../../simulator/model/random.ts'
import { answer, startOptions } from '../harness/answer.ts'
import { cpuMicros } from '../harness/cpu.ts'
import { MapBooks } from '../peers/map-book.ts'
import { fillArena, syntheticBook } from '../synthetic/book.ts'
import { cyclicChanges } from '../synthetic/changes.ts'

export type Structure = 'arena' | 'map'

export interface StructureOptions {
  structure: Structure
  markets: number
  changes: number
}

/** What the work took, and a sum that every structure must come to. */
export interface Timed {
  nanosEach: number
  checksum: number
}

export interface Memory {
  residentBytes: number
  heapBytes: number
}

const DEPTH = 10
/** Levels a market: two sides in runs of up to 64, and the runs that they grew out of. */
const LEVELS_A_MARKET = 256

const { structure, markets, changes } = startOptions<StructureOptions>()

interface Books {
  change(market: number, outcome: 0 | 1, price: number, change: number): void
  sumOfTop(market: number, outcome: 0 | 1, depth: number): number
}

class ArenaBooks implements Books {
  private readonly arena: BookArena

  constructor(arena: BookArena) {
    this.arena = arena
  }

  change(market: number, outcome: 0 | 1, price: number, change: number): void {
    this.arena.changeLevel(market, outcome, price, change)
  }

  sumOfTop(market: number, outcome: 0 | 1, depth: number): number {
    const { arena } = this
    const end = Math.min(depth, arena.count(market, outcome))
    let sum = 0
    for (let i = 0; i < end; i++) {
      sum += arena.priceAt(market, outcome, i) * (arena.sizeAt(market, outcome, i) / 10_000)
    }
    return sum
  }
}

const script = cyclicChanges(changes, markets)
const marketOf = Int32Array.from(script, ({ market }) => market)
const outcomeOf = Uint8Array.from(script, ({ outcome }) => outcome)
const priceOf = Uint16Array.from(script, ({ price }) => price)
const changeOf = Float64Array.from(script, ({ change }) => change)
const random = createRandom(markets)
script.length = 0

// Once without keeping anything: what making the books leaves behind is no part of their memory.
for (let i = 0; i < markets; i++) syntheticBook(i)
const before = memoryNow()
const books = structure === 'arena' ? arenaBooks() : mapBooks()
const after = memoryNow()
const memory: Memory = {
  residentBytes: (after.residentBytes - before.residentBytes) / markets,
  heapBytes: (after.heapBytes - before.heapBytes) / markets
}

answer(({ question, turns }) => {
  if (question === 'memory') return memory
  if (question === 'update') return timed(() => update(turns as number), changes * (turns as number))
  if (question === 'top') return timed(() => readTops(turns as number), changes * (turns as number))
  throw new Error(`cannot answer ${JSON.stringify(question)}`)
})

function update(turns: number): number {
  for (let turn = 0; turn < turns; turn++) {
    for (let i = 0; i < changes; i++) {
      books.change(marketOf[i] as number, outcomeOf[i] as 0 | 1, priceOf[i] as number, changeOf[i] as number)
    }
  }
  let sum = 0
  for (let market = 0; market < markets; market++) sum += books.sumOfTop(market, 0, DEPTH)
  return sum
}

/** Reads where the changes are: who asks for books asks for the busy ones. */
function readTops(turns: number): number {
  let sum = 0
  for (let turn = 0; turn < turns; turn++) {
    for (let i = 0; i < changes; i++) {
      sum += books.sumOfTop(marketOf[i] as number, outcomeOf[i] as 0 | 1, DEPTH)
    }
  }
  return sum
}

function timed(work: () => number, operations: number): Timed {
  const startedAt = cpuMicros()
  const checksum = work()
  return { nanosEach: ((cpuMicros() - startedAt) * 1_000) / operations, checksum }
}

function arenaBooks(): Books {
  const table = new BookTable({ capacityMarkets: markets, capacityLevels: markets * LEVELS_A_MARKET })
  for (let i = 0; i < markets; i++) fillArena(table.arena, table.allocate(), syntheticBook(i))
  return new ArenaBooks(table.arena)
}

/** A book that has lived for a while holds its levels in the order in which they came, which is none. */
function mapBooks(): Books {
  const maps = new MapBooks(markets)
  for (let market = 0; market < markets; market++) {
    syntheticBook(market).sides.forEach(({ prices, sizes }, outcome) => {
      const order = prices.map((_, i) => i)
      for (let i = order.length - 1; i > 0; i--) {
        const other = random.int(i + 1)
        ;[order[i], order[other]] = [order[other] as number, order[i] as number]
      }
      for (const i of order) maps.set(market, outcome as 0 | 1, prices[i] as number, sizes[i] as number)
    })
  }
  return maps
}

function memoryNow(): Memory {
  globalThis.gc?.()
  globalThis.gc?.()
  const { rss, heapUsed } = process.memoryUsage()
  return { residentBytes: rss, heapBytes: heapUsed }
}
