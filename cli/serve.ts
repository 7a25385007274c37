import { existsSync } from 'node:fs'
import { startServer } from '../server.ts'
import { ConfigError } from '../services/errors.ts'
import { readSettings } from '../services/settings.ts'
import { parseCommand } from './usage.ts'

const HELP = `Usage: crossbook serve

Runs the gateway. Settings come from the environment and from .env in the working directory, if present
(the environment wins); .env.example lists them all. Stops on SIGTERM and SIGINT.`

/** Reads a file of settings if there is one. */
function loadEnvironment(file: string): void {
  if (!existsSync(file)) return
  try {
    process.loadEnvFile(file)
  } catch {
    throw new ConfigError(`${file} is no file that can be read: make it one, or move it away`)
  }
}

export async function serveCommand(args: string[]): Promise<void> {
  if (parseCommand(args, {}, HELP) === null) return
  loadEnvironment('.env')
  await startServer({ config: readSettings(process.env) })
}
