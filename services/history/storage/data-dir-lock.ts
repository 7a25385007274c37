import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../../errors.ts'
import { cannotBeWritten, makeFolder } from './data-dir.ts'

/** What the pid file says of its owner. `startedAt` tells a process from a later one with the same id; null: unknown. */
interface Owner {
  pid: number
  startedAt: string | null
}

/** Files that this process holds: after a crash in a container, the next process often has the very same id. */
const held = new Set<string>()

/**
 * Takes a data folder, or a part of it, for this process. PGlite has no lock of its own: two processes that open one
 * folder both write, and committed rows vanish.
 *
 * Processes that do not see each other's ids (two containers with one volume) are not told apart.
 *
 * @returns what gives it back
 * @throws {ConfigError} where a living process has it, or the folder cannot be written
 */
export function lockDataDir(dataDir: string, part = '.'): () => void {
  const folder = join(dataDir, part)
  const file = join(folder, 'database.pid')
  if (held.has(file)) throw inUse(dataDir, process.pid)
  try {
    makeFolder(folder)
    claim(file, dataDir)
  } catch (error) {
    throw error instanceof ConfigError ? error : cannotBeWritten(dataDir, error)
  }
  held.add(file)
  return () => {
    if (held.delete(file)) rmSync(file, { force: true })
  }
}

function claim(file: string, dataDir: string): void {
  const own = `${file}.${process.pid}`
  // Linked into place, so that no other process ever reads a half-written owner.
  writeFileSync(own, JSON.stringify({ pid: process.pid, startedAt: statOf(process.pid)?.startedAt ?? null }))
  try {
    while (!link(own, file)) takeFromTheDead(file, dataDir)
  } finally {
    rmSync(own, { force: true })
  }
}

/** Removes the file of an owner that lives no more; of two processes that do this at once, one sees the other. */
function takeFromTheDead(file: string, dataDir: string): void {
  const aside = `${file}.${process.pid}.dead`
  const before = readOwner(file)
  if (before !== null && lives(before)) throw inUse(dataDir, before.pid)
  try {
    renameSync(file, aside)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return
    throw error
  }
  const owner = readOwner(aside)
  // Between the look and the move another process took it over: give it its file back.
  const mistaken = owner !== null && lives(owner)
  if (mistaken) link(aside, file)
  rmSync(aside, { force: true })
  if (mistaken) throw inUse(dataDir, owner.pid)
}

function link(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Null where there is no file, or one that names no process: a power cut leaves it empty. */
function readOwner(file: string): Owner | null {
  try {
    const { pid, startedAt } = JSON.parse(readFileSync(file, 'utf8')) as Partial<Owner>
    return Number.isInteger(pid) ? { pid: pid as number, startedAt: startedAt ?? null } : null
  } catch (error) {
    if (error instanceof SyntaxError || (error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

function lives({ pid, startedAt }: Owner): boolean {
  if (pid === process.pid) return false
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it lives and is someone else's.
    if ((error as NodeJS.ErrnoException).code === 'ESRCH') return false
  }
  const stat = statOf(pid)
  if (stat === null) return true
  // A zombie answers to signals, and does nothing more.
  if (stat.state === 'Z') return false
  return startedAt === null || stat.startedAt === startedAt
}

/** State of a process and when it started, in the kernel's ticks since boot; null where there is no /proc. */
function statOf(pid: number): { state: string; startedAt: string } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // The name in parentheses may hold spaces; behind it are the state and, as the 20th, the start.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return { state: fields[0] as string, startedAt: fields[19] as string }
  } catch {
    return null
  }
}

function inUse(dataDir: string, pid: number): ConfigError {
  return new ConfigError(`DATA_DIR ${dataDir} is in use by process ${pid}: stop it, or give another folder`)
}
