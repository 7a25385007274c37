import { existsSync } from 'node:fs'
import { ConfigError } from '../services/errors.ts'

/** Reads a file of settings if there is one. */
export function loadEnvironment(file: string): void {
  if (!existsSync(file)) return
  try {
    process.loadEnvFile(file)
  } catch {
    throw new ConfigError(`${file} is no file that can be read: make it one, or move it away`)
  }
}
