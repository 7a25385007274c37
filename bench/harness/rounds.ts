/** Returns the middle of the values, or the mean of the two middle ones. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
}

/**
 * Measures every case once a round, one after the other, so that a disturbance of the machine meets all of them, and
 * returns the values of each case by round.
 */
export async function interleave<Case extends string, Value>(
  rounds: number,
  cases: readonly Case[],
  measure: (which: Case, round: number) => Promise<Value>,
  onRound: (round: number) => void
): Promise<Record<Case, Value[]>> {
  const values = Object.fromEntries(cases.map((which) => [which, [] as Value[]])) as Record<Case, Value[]>
  for (let round = 0; round < rounds; round++) {
    onRound(round)
    for (const which of cases) values[which].push(await measure(which, round))
  }
  return values
}
