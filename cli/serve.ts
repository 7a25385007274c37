import { startServer } from '../server.ts'
import { readSettings } from '../services/settings.ts'
import { loadEnvironment } from './environment.ts'
import { parseCommand } from './usage.ts'

const HELP = `Usage: crossbook serve

Runs the gateway. Settings come from the environment and from .env in the working directory, if present
(the environment wins); .env.example lists them all. Stops on SIGTERM and SIGINT.`

export async function serveCommand(args: string[]): Promise<void> {
  if (parseCommand(args, {}, HELP) === null) return
  loadEnvironment('.env')
  await startServer({ config: readSettings(process.env) })
}
