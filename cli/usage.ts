import { type ParseArgsConfig, parseArgs } from 'node:util'
import { RangeInvalidError } from '../services/errors.ts'
import { parseTime } from '../services/history/read/time-range.ts'

/** A command line that cannot be understood; its message is the one sentence that the user sees. */
export class UsageError extends Error {}

/** Returns the parsed options of a command, or null after printing its help. */
export function parseCommand<T extends NonNullable<ParseArgsConfig['options']>>(
  args: string[],
  options: T,
  help: string
): ReturnType<typeof parseArgs<{ options: T; strict: true; allowPositionals: false }>>['values'] | null {
  if (args.includes('--help') || args.includes('-h')) {
    console.log(help)
    return null
  }
  try {
    return parseArgs({ args, options, strict: true, allowPositionals: false }).values
  } catch (error) {
    throw new UsageError(`${(error as Error).message}; see --help`)
  }
}

/** Returns a whole number given as an option. */
export function wholeNumber(name: string, text: string, minimum: number): number {
  const value = Number(text)
  if (!Number.isSafeInteger(value) || value < minimum) {
    throw new UsageError(`--${name} must be a whole number from ${minimum}, but is ${JSON.stringify(text)}`)
  }
  return value
}

/** Returns a time given as an option, epoch milliseconds; null where it was not given. */
export function timeOption(name: string, text: string | undefined): number | null {
  if (text === undefined) return null
  try {
    return parseTime(text, name)
  } catch (error) {
    if (!(error instanceof RangeInvalidError)) throw error
    const forms = 'ISO 8601 with Z or an offset, such as 2026-11-20T12:34:56.789Z, or epoch milliseconds'
    throw new UsageError(`--${name} must be ${forms}, but is ${JSON.stringify(text)}`)
  }
}
