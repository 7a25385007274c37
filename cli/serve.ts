// Before anything that makes the collector run.
import '../services/full-collections.ts'
import '../services/tick-shape.ts'
import { readStateBytes } from '../services/history/warm-file.ts'
import { keepsHistory, readSettings } from '../services/settings.ts'
import { loadEnvironment } from './environment.ts'
import { parseCommand, UsageError } from './usage.ts'

const HELP = `Usage: crossbook serve [--replay FOLDER [--speed N] [--from TIME] [--to TIME]]

Runs the gateway. Settings come from the environment and from .env in the working directory, if present
(the environment wins); .env.example lists them all. Stops on SIGTERM and SIGINT.

  --replay FOLDER  serve what the journals in a DATA_DIR hold, with no venue asked; nothing is recorded
  --speed N        from --from on, N seconds of record in a second; without it, as fast as it goes
  --from, --to     a part of it: ISO 8601 with an offset or Z, or epoch milliseconds; --to is not inside`

export async function serveCommand(args: string[]): Promise<void> {
  const text = { type: 'string' } as const
  const options = parseCommand(args, { replay: text, speed: text, from: text, to: text }, HELP)
  if (options === null) return
  loadEnvironment('.env')
  const config = readSettings(process.env)
  const { replay: folder, speed, from, to } = options
  if (folder !== undefined) {
    const { serveReplay } = await import('./serve-replay.ts')
    await serveReplay(config, { folder, speed, from, to })
  } else if (speed !== undefined || from !== undefined || to !== undefined) {
    throw new UsageError('--speed, --from and --to go with --replay; see crossbook serve --help')
  } else {
    // What is wrong with the settings is said before the whole gateway is loaded; the last state is read meanwhile.
    const lastState = keepsHistory(config) ? readStateBytes(config.DATA_DIR) : undefined
    const { startServer } = await import('../server.ts')
    await startServer({ config, lastState })
  }
}
