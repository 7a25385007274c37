import { AuditHistory } from '../../services/integrity/audit-history.ts'
import { BookTable } from '../../services/integrity/book-table.ts'
import { KalshiBooks } from '../../services/kalshi/books.ts'
import { PolymarketBooks } from '../../services/polymarket/books.ts'
import { parseRestBook } from '../../services/polymarket/parse.ts'
import { answer, startOptions } from '../harness/answer.ts'
import { cpuMicros } from '../harness/cpu.ts'
import { FIRST_TURN } from '../synthetic/frame-cycle.ts'
import { kalshiDeltas, kalshiSnapshot, kalshiTicker } from '../synthetic/kalshi.ts'
import { polymarketIds } from '../synthetic/polymarket.ts'
import { provableStream } from './polymarket-frames.ts'

/** Which proof is measured on which stream. */
export interface ProofWorkerOptions {
  venue: 'kalshi' | 'polymarket'
  frames: number
  markets: number
}

/** One turn of the measured stream with a proof on or off. */
export interface ProofReading {
  microsPerFrame: number
  /** Books proved by hash, before the measured frames too; books watched for audits. */
  proofs: number
  mismatches: number
}

const { venue, frames, markets } = startOptions<ProofWorkerOptions>()
const LEVELS_A_MARKET = 1_024
/** Between two looks at what is pending, as the feed's timer does. */
const SETTLE_EVERY = 1_000
/** Frames before the measured ones, which use up the time that a new budget has saved: no running one has it. */
const WARM_FRAMES = 4_000
const OPENING = Buffer.from('{')

const measure = venue === 'kalshi' ? kalshi() : polymarket()
answer(({ amount }) => (amount === undefined ? null : measure(amount as number)))

/** `amount` is the time for hashes, as a percentage of a core. */
function polymarket(): (amount: number) => ProofReading {
  const stream = provableStream(WARM_FRAMES + frames, markets)
  const warm = stream.frames.slice(0, WARM_FRAMES)
  const measured = stream.frames.slice(WARM_FRAMES)
  return (amount) => {
    const table = new BookTable({ capacityMarkets: markets, capacityLevels: markets * LEVELS_A_MARKET })
    const books = new PolymarketBooks({ table, hashBudgetPercent: amount })
    for (const [index, book] of stream.books.entries()) {
      const { yes, no } = polymarketIds(index)
      books.follow(yes, table.allocate(), no)
      const parsed = parseRestBook(book)
      if (parsed === null) throw new Error('a synthetic book does not parse')
      books.seed(parsed, Date.now(), true)
    }
    const apply = (part: readonly Buffer[]) =>
      part.forEach((frame, i) => {
        books.apply(frame, 0)
        if (i % SETTLE_EVERY === 0) books.settle(performance.now())
      })
    apply(warm)
    const { skipped } = books.proofStatus()
    const startedAt = cpuMicros()
    apply(measured)
    const microsPerFrame = (cpuMicros() - startedAt) / measured.length
    const { hashesMatched, mismatches } = books.proofStatus()
    if (books.counters.applied < stream.frames.length)
      throw new Error(`frames were left out: ${JSON.stringify([...books.counters.ignored])}`)
    if (amount > 0 && amount <= 100 && skipped === 0)
      throw new Error('the budget still has what it had saved when the measuring begins')
    return { microsPerFrame, proofs: hashesMatched, mismatches }
  }
}

/** `amount` is the share of the books that are watched for an audit, as a percentage. */
function kalshi(): (amount: number) => ProofReading {
  const { bytes, ends, turnAt } = kalshiDeltas(frames, markets)
  const payloads: Buffer[] = []
  ends.forEach((end, i) => {
    bytes.write(String(FIRST_TURN), (turnAt as Int32Array)[i] as number, 'latin1')
    payloads.push(bytes.subarray(bytes.indexOf(OPENING, i === 0 ? 0 : (ends[i - 1] as number)), end))
  })
  return (amount) => {
    const table = new BookTable({ capacityMarkets: markets, capacityLevels: markets * LEVELS_A_MARKET })
    const books = new KalshiBooks({ table })
    const connection = books.connection({ startAnywhere: true })
    const history = new AuditHistory({ table, capacity: markets, steadyNow: () => performance.now() })
    for (let i = 0; i < markets; i++) {
      const slot = table.allocate()
      books.follow(kalshiTicker(i), slot)
      books.apply(Buffer.from(kalshiSnapshot(i)), 0, connection)
      // Spread over busy and quiet markets alike.
      if (((i * 61) % 100) + 1 <= amount) history.watch(slot, 0)
    }
    const startedAt = cpuMicros()
    for (const payload of payloads) books.apply(payload, 0, connection)
    const microsPerFrame = (cpuMicros() - startedAt) / payloads.length
    if (books.counters.applied < frames)
      throw new Error(`frames were left out: ${JSON.stringify([...books.counters.ignored])}`)
    return { microsPerFrame, proofs: history.size, mismatches: 0 }
  }
}
