import type { SimulatorOptions } from '../simulator/index.ts'
import { checkOptions } from '../simulator/options.ts'
import { UsageError } from './usage.ts'

/** Options of the market model, for every command that runs it. */
export const MODEL_OPTIONS = {
  seed: { type: 'string' },
  markets: { type: 'string' },
  shared: { type: 'string' },
  rate: { type: 'string' },
  churn: { type: 'string' }
} as const

export const MODEL_HELP = `  --seed N           seed of the market model (1)
  --markets N        markets a venue (300)
  --shared SHARE     share of them whose question both venues ask, 0 to 1 (0.4)
  --rate N           happenings a second, both venues together (200)
  --churn MS         a market is listed and one closed on each venue in this time; 0 for none (20000)`

const NAMES = {
  seed: 'seed',
  markets: 'marketsPerVenue',
  shared: 'sharedShare',
  rate: 'rate',
  churn: 'churnMs'
} as const satisfies Record<keyof typeof MODEL_OPTIONS, keyof SimulatorOptions>

/**
 * Returns what the options ask of the simulator.
 *
 * @throws {UsageError} with the sentences for all that do not fit
 */
export function simulatorOptions(
  given: Partial<Record<keyof typeof MODEL_OPTIONS, string | undefined>>,
  more: SimulatorOptions = {}
): SimulatorOptions {
  const options: SimulatorOptions = { ...more }
  for (const [name, target] of Object.entries(NAMES)) {
    const text = given[name as keyof typeof NAMES]
    if (text === undefined) continue
    const value = Number(text)
    if (Number.isNaN(value))
      throw new UsageError(`--${name} must be a number, but is ${JSON.stringify(text)}`)
    options[target] = value
  }
  const problems = checkOptions(options)
  if (problems.length > 0) throw new UsageError(problems.join(' '))
  return options
}
