import { setTimeout as sleep } from 'node:timers/promises'

/** Resolves as the work does, or with false when it takes longer. */
export async function within(ms: number, work: Promise<boolean>): Promise<boolean> {
  const deadline = new AbortController()
  const late = sleep(ms, false, { signal: deadline.signal }).catch(() => false)
  try {
    return await Promise.race([work, late])
  } finally {
    deadline.abort()
  }
}
