import type { BenchContext, Figure } from '../figure.ts'
import { BenchProcess } from '../harness/child-process.ts'
import { interleave, median } from '../harness/rounds.ts'
import { WATCHED_PERCENT } from '../ingest/pipelines.ts'
import { TARGETS } from '../targets.ts'
import type { ProofReading, ProofWorkerOptions } from './worker.ts'

/** The default of HASH_BUDGET_PERCENT. */
const BUDGET_PERCENT = 10
/** More than there is work for: every message is proved. */
const UNBOUNDED_PERCENT = 100_000

/** What a frame costs with a proof on, against the same frame with it off; straight into the books, no socket. */
export async function proofs(context: BenchContext): Promise<Figure[]> {
  const { quick } = context
  const polymarket = await compare(
    { venue: 'polymarket', frames: quick ? 4_000 : 40_000, markets: quick ? 50 : 300 },
    { off: 0, budget: BUDGET_PERCENT, all: UNBOUNDED_PERCENT },
    context
  )
  const kalshi = await compare(
    { venue: 'kalshi', frames: quick ? 10_000 : 100_000, markets: 1_000 },
    { off: 0, usual: WATCHED_PERCENT, all: 100 },
    context
  )
  const figure = (unit: string, against: number, value: number, target: Figure['target']): Figure => ({
    bench: 'proofs',
    figure: value,
    unit,
    peer: 'the same with the proof off',
    against,
    ratio: value / against,
    target
  })
  return [
    figure(
      `us CPU per price_change, hashes within ${BUDGET_PERCENT} % of a core`,
      polymarket.off,
      polymarket.budget,
      TARGETS.proofsHashBudget
    ),
    figure('us CPU per price_change, every hash', polymarket.off, polymarket.all, TARGETS.proofsEveryHash),
    figure(
      `us CPU per Kalshi delta, ${WATCHED_PERCENT} % of books watched for audits`,
      kalshi.off,
      kalshi.usual,
      TARGETS.proofsWatched
    ),
    figure('us CPU per Kalshi delta, every book watched', kalshi.off, kalshi.all, TARGETS.proofsAllWatched)
  ]
}

/** Measures the same stream with each amount of a proof, in turn in one process. */
async function compare<Case extends string>(
  options: ProofWorkerOptions,
  amounts: Record<Case, number>,
  { rounds, progress }: BenchContext
): Promise<Record<Case, number>> {
  progress(`${options.venue}: encoding frames`)
  const child = await BenchProcess.start('proofs/worker.ts', 'measured', options)
  const names = Object.keys(amounts) as Case[]
  try {
    const measure = (name: Case) => child.ask<ProofReading>({ amount: amounts[name] })
    for (const name of names) await measure(name)
    const readings = await interleave(rounds, names, measure, (round) =>
      progress(`${options.venue}: round ${round + 1} of ${rounds}`)
    )
    for (const name of names) assertTrue(name, amounts[name], readings[name])
    const micros = (name: Case) => median(readings[name].map(({ microsPerFrame }) => microsPerFrame))
    return Object.fromEntries(names.map((name) => [name, micros(name)])) as Record<Case, number>
  } finally {
    await child.stop()
  }
}

/** A proof that is off proves nothing, one that is on does, and none calls a right book wrong. */
function assertTrue(name: string, amount: number, readings: readonly ProofReading[]): void {
  for (const { proofs: proved, mismatches } of readings) {
    if (mismatches > 0) throw new Error(`${name}: ${mismatches} right books were called wrong`)
    if (amount === 0 ? proved > 0 : proved === 0) throw new Error(`${name}: ${proved} proofs`)
  }
}
