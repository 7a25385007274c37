import { type ParseArgsConfig, parseArgs } from 'node:util'

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
