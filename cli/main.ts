import { styleText } from 'node:util'
import { CrossbookError } from '../services/errors.ts'
import { UsageError } from './usage.ts'

interface Command {
  summary: string
  run: (args: string[]) => Promise<void>
}

const COMMANDS: Record<string, Command> = {
  serve: {
    summary: 'run the gateway against the venues that the environment names',
    run: async (args) => (await import('./serve.ts')).serveCommand(args)
  },
  demo: {
    summary: 'run the gateway against a simulator: no keys, no internet',
    run: async (args) => (await import('./demo.ts')).demoCommand(args)
  },
  simulate: {
    summary: 'run the simulated venues alone',
    run: async (args) => (await import('./simulate.ts')).simulateCommand(args)
  },
  export: {
    summary: 'write what was recorded in a range to files',
    run: async (args) => (await import('./export.ts')).exportCommand(args)
  },
  replay: {
    summary: 'feed recorded frames through the parsers and books, and print the result',
    run: async (args) => (await import('./replay.ts')).replayCommand(args)
  }
}

function usage(): string {
  const lines = Object.entries(COMMANDS).map(([name, { summary }]) => `  ${name.padEnd(10)}${summary}`)
  return [
    'Usage: crossbook COMMAND [options]',
    '',
    ...lines,
    '',
    'crossbook COMMAND --help tells the options.'
  ].join('\n')
}

async function main([name, ...args]: string[]): Promise<void> {
  if (name === undefined || name === 'help' || name === '--help' || name === '-h') {
    console.log(usage())
    return
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined
  if (command === undefined) throw new UsageError(`there is no command ${name}: see crossbook --help`)
  await command.run(args)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  const expected = error instanceof CrossbookError || error instanceof UsageError
  const text = expected
    ? error.message
    : error instanceof Error
      ? (error.stack ?? error.message)
      : String(error)
  console.error(styleText('red', 'crossbook:', { stream: process.stderr }), text)
  process.exitCode = 1
}
