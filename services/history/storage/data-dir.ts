import { accessSync, constants, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { ConfigError } from '../../errors.ts'

/** Of a data folder, where the embedded database is. */
export const DATABASE_FOLDER = 'database'

/** Of a data folder, where the journals are; a gateway that records locks it for as long as it runs. */
export const JOURNAL_FOLDER = 'journal'

/** True where an embedded database was made in a folder; opening one makes it. */
export function holdsDatabase(dataDir: string): boolean {
  return existsSync(join(dataDir, DATABASE_FOLDER))
}

/**
 * Makes a folder and those above it. The `recursive` of Node does not return where one is not there and cannot be made
 * either, as below /proc.
 */
export function makeFolder(path: string): void {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory()) return
  const parent = dirname(path)
  if (parent !== path) makeFolder(parent)
  try {
    mkdirSync(path)
  } catch (error) {
    // Another process may have been faster.
    if (codeOf(error) !== 'EEXIST' || !statSync(path).isDirectory()) throw error
  }
}

/**
 * Looks at what is there of a data folder and of the folders in it, before anything is recorded.
 *
 * @throws {ConfigError} where one is no folder, or cannot be written
 */
export function assertDataDir(dataDir: string, parts: readonly string[]): void {
  for (const folder of [dataDir, ...parts.map((part) => join(dataDir, part))]) {
    try {
      // With the dot, a file is none.
      accessSync(`${folder}/.`, constants.R_OK | constants.W_OK | constants.X_OK)
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw cannotBeWritten(dataDir, error, folder)
    }
  }
}

/** Returns what the start ends with where a data folder cannot be written; `path` says at which place of it. */
export function cannotBeWritten(dataDir: string, error: unknown, path = pathOf(error)): ConfigError {
  const code = codeOf(error)
  const why = code === 'ENOTDIR' || code === 'EEXIST' ? `${path} is no folder` : `${code} at ${path}`
  return new ConfigError(
    `DATA_DIR ${dataDir} cannot be written (${why}): give another folder, or the right to write`
  )
}

function codeOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).code ?? String(error)
}

function pathOf(error: unknown): string {
  return (error as NodeJS.ErrnoException).path ?? 'an unknown place'
}
