/** How a figure is judged: by its ratio to what it is measured against, or by its own value. */
export interface Target {
  by: 'ratio' | 'figure'
  relation: '>=' | '<='
  value: number
}

/** One result: never without the limit or the peer that was measured beside it. */
export interface Figure {
  bench: string
  figure: number
  /** Unit and meaning of `figure` and `against`. */
  unit: string
  peer: string
  against: number
  /** How many times better or worse: what it divides is said by the bench, by default `figure / against`. */
  ratio: number
  target: Target
}

export function isMet({ figure, ratio, target }: Figure): boolean {
  const value = target.by === 'ratio' ? ratio : figure
  return target.relation === '>=' ? value >= target.value : value <= target.value
}

/** What a bench is told. */
export interface BenchContext {
  rounds: number
  /** Short rounds and small worlds: figures are rough. */
  quick: boolean
  /** Says what is being done. */
  progress: (text: string) => void
}

export type Bench = (context: BenchContext) => Promise<Figure[]>
