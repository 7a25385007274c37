import { openSync, readSync } from 'node:fs'

/** User and system time that this process has used so far, all its threads, in microseconds. */
export function cpuMicros(): number {
  const { user, system } = process.cpuUsage()
  return user + system
}

const OWN_TIMES = '/proc/self/schedstat'
const OWN_TIMES_BYTES = 64

/**
 * Returns what tells the time in milliseconds that this thread, the first one, has been on a core: what other threads of
 * the process took meanwhile is not in it. Where the system does not say, all threads' time.
 */
export function ownClock(): () => number {
  const bytes = Buffer.alloc(OWN_TIMES_BYTES)
  let file: number
  try {
    file = openSync(OWN_TIMES, 'r')
  } catch {
    return () => cpuMicros() / 1_000
  }
  const own = () => {
    // Brings the kernel's account up to this moment; otherwise what is read is that of its last tick, 4 ms ago or less.
    cpuMicros()
    const length = readSync(file, bytes, 0, OWN_TIMES_BYTES, 0)
    return Number.parseInt(bytes.toString('latin1', 0, length), 10) / 1_000_000
  }
  return own() > 0 ? own : () => cpuMicros() / 1_000
}
