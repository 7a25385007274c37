import { setTimeout as sleep } from 'node:timers/promises'
import { answer, startOptions } from '../harness/answer.ts'
import { cpuMicros } from '../harness/cpu.ts'

export interface TicksOptions {
  /** Keeps what the gateway keeps. */
  isKept: boolean
}

const TICKS = 300_000
const COLLECTIONS = 4

const { isKept } = startOptions<TicksOptions>()
if (isKept) await import('../../services/tick-shape.ts')
// Compiled, as in a gateway that has run for a while, and then collected at moments when no tick waits.
await ticks()
for (let i = 0; i < COLLECTIONS; i++) {
  await sleep(10)
  globalThis.gc?.()
}
await ticks()

answer(async () => {
  const before = cpuMicros()
  await ticks()
  return ((cpuMicros() - before) * 1_000) / TICKS
})

function ticks(): Promise<void> {
  return new Promise((resolve) => {
    let left = TICKS
    const next = (step: number) => {
      left -= step
      if (left > 0) process.nextTick(next, 1)
      else resolve()
    }
    process.nextTick(next, 0)
  })
}
