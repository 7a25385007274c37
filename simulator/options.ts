import { existsSync } from 'node:fs'
import type { ReplayOptions } from './replay.ts'

/** What a simulator can be told; every option has a default. */
export interface SimulatorOptions {
  /** The same seed gives the same markets and the same happenings. 32-bit integer. Default 1. */
  seed?: number
  /** Markets listed on each venue at the start, 1 to 100,000. Default 300. */
  marketsPerVenue?: number
  /** The share of them, 0 to 1, whose question both venues ask. Default 0.4. */
  sharedShare?: number
  /** Happenings a second over both venues, 0 to 100,000. Default 200. */
  rate?: number
  /** A market is listed and one closed on each venue in this time; 0 for none. Default 20_000. */
  churnMs?: number
  /** From listing to opening; 0 opens at once. Default 2_000. */
  openDelayMs?: number
  /** The first port: Kalshi, then CLOB with its WebSocket, Gamma, and the control port. 0, the default: any free ones. */
  port?: number
  /** A recording that WebSocket clients of one venue get instead of the model. */
  replay?: ReplayOptions
  /** Starts with the model moving. Default true. */
  running?: boolean
  /** Epoch milliseconds; for tests. Default the machine's clock. */
  now?: () => number
}

export type CompleteOptions = Required<Omit<SimulatorOptions, 'replay'>> & Pick<SimulatorOptions, 'replay'>

export const DEFAULT_OPTIONS: CompleteOptions = {
  seed: 1,
  marketsPerVenue: 300,
  sharedShare: 0.4,
  rate: 200,
  churnMs: 20_000,
  openDelayMs: 2_000,
  port: 0,
  running: true,
  now: Date.now
}

interface Limits {
  low: number
  high: number
  isInteger: boolean
}

const LIMITS: Record<string, Limits> = {
  seed: { low: -(2 ** 31), high: 2 ** 32 - 1, isInteger: true },
  marketsPerVenue: { low: 1, high: 100_000, isInteger: true },
  sharedShare: { low: 0, high: 1, isInteger: false },
  rate: { low: 0, high: 100_000, isInteger: false },
  churnMs: { low: 0, high: 86_400_000, isInteger: true },
  openDelayMs: { low: 0, high: 86_400_000, isInteger: true },
  port: { low: 0, high: 65_532, isInteger: true }
}

/** Returns one sentence for each option that does not fit; none if all do. */
export function checkOptions(options: SimulatorOptions): string[] {
  const problems: string[] = []
  for (const [name, value] of Object.entries(options)) {
    const limits = LIMITS[name]
    if (value !== undefined && limits !== undefined) {
      const kind = limits.isInteger ? 'an integer' : 'a number'
      const fits = limits.isInteger ? Number.isInteger(value) : Number.isFinite(value)
      if (!fits || (value as number) < limits.low || (value as number) > limits.high) {
        problems.push(`${name} must be ${kind} from ${limits.low} to ${limits.high}, not ${String(value)}.`)
      }
    } else if (!Object.hasOwn(DEFAULT_OPTIONS, name) && name !== 'replay') {
      problems.push(`${name} is no option of the simulator.`)
    }
  }
  if (options.replay !== undefined) problems.push(...checkReplay(options.replay))
  return problems
}

/**
 * Returns the options with every default filled in.
 *
 * @throws {RangeError} with one sentence an option that does not fit
 */
export function completeOptions(options: SimulatorOptions): CompleteOptions {
  const problems = checkOptions(options)
  if (problems.length > 0) throw new RangeError(problems.join(' '))
  const given = Object.entries(options).filter(([, value]) => value !== undefined)
  return { ...DEFAULT_OPTIONS, ...Object.fromEntries(given) }
}

function checkReplay({ venue, file, speed }: ReplayOptions): string[] {
  const problems: string[] = []
  if (venue !== 'kalshi' && venue !== 'polymarket')
    problems.push('replay.venue must be kalshi or polymarket.')
  if (!existsSync(file)) problems.push(`replay.file ${file} does not exist.`)
  if (!(speed >= 0)) problems.push(`replay.speed must be 0 (as fast as possible) or more, not ${speed}.`)
  return problems
}
