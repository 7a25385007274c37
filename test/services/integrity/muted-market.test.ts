import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { Auditor } from '../../../services/integrity/auditor.ts'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { Incidents } from '../../../services/integrity/incidents.ts'
import { Liveness } from '../../../services/integrity/liveness.ts'
import { YES } from '../../../services/orderbook/arena.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'

const TICK_MS = 250
const READ_TAKES_TICKS = 2
const GIVE_UP_MS = 120_000

/**
 * Returns after how long a market that changes every `everyMs` is found wrong once it is muted, among others that speak,
 * by its silence alone: no round robin. Reads are `readAgeMs` old. Milliseconds from the mute.
 */
async function foundAfter(everyMs: number, readAgeMs = 0): Promise<number> {
  const table = new BookTable({ capacityMarkets: 2, capacityLevels: 64 })
  const slots = [table.allocate(), table.allocate()] as const
  const [muted] = slots
  let nowMs = 0
  const steadyNow = () => nowMs
  let size = 1
  const truth: { fromMs: number; size: number }[] = [{ fromMs: 0, size }]
  const shared = { venue: 'kalshi', table, incidents: new Incidents({ steadyNow }), steadyNow }
  const reads: { dueMs: number; answer: () => void }[] = []
  const auditor = new Auditor({
    ...shared,
    slots: () => [],
    marketId: String,
    read: (asked, take) =>
      new Promise((resolve) => {
        const asOfMs = nowMs - readAgeMs
        const answer = () => {
          for (const slot of asked) {
            const yes = new LevelList()
            const at = truth.findLast(({ fromMs }) => fromMs <= asOfMs)
            yes.push(4_000, slot === muted ? (at?.size ?? 1) : 1)
            take(slot, yes, new LevelList())
          }
          resolve()
        }
        reads.push({ dueMs: nowMs + READ_TAKES_TICKS * TICK_MS, answer })
      }),
    booksPerRead: () => 100,
    periodMs: 60_000,
    repair: () => {}
  })
  const connection = { key: 'c/1', messages: 0, slots: () => slots }
  const liveness = new Liveness({
    ...shared,
    leadMs: auditor.leadMs,
    connections: () => [connection],
    audit: (slot, unchangedForMs, onDone) => auditor.urgent(slot, unchangedForMs, onDone),
    recycle: () => {}
  })
  const receive = (slot: number) => {
    connection.messages++
    table.received(slot, nowMs + 1, Number.NaN, Number.NaN)
    table.touch(slot)
  }
  for (const slot of slots) {
    table.arena.setLevel(slot, YES, 4_000, 1)
    table.resynced(slot)
  }
  const mutedAtMs = everyMs * Math.max(8, Math.ceil(60_000 / everyMs))
  while (table.verdicts.reason(muted) === null && nowMs - mutedAtMs < GIVE_UP_MS) {
    nowMs += TICK_MS
    if (nowMs % everyMs === 0) {
      truth.push({ fromMs: nowMs, size: ++size })
      if (nowMs <= mutedAtMs) {
        table.arena.setLevel(muted, YES, 4_000, size)
        receive(muted)
      }
    }
    receive(slots[1])
    while ((reads[0]?.dueMs ?? nowMs + 1) <= nowMs) reads.shift()?.answer()
    await turn()
    auditor.tick()
    if (nowMs % 1_000 === 0) liveness.scan()
  }
  return nowMs - mutedAtMs
}

t.test('a muted market is found within 30 s of its last message', async (t) => {
  for (const everyMs of [250, 1_000, 1_500, 2_500, 4_000, 8_000, 15_000]) {
    const afterMs = await foundAfter(everyMs)
    t.ok(afterMs <= 30_000, `one that speaks every ${everyMs} ms: ${afterMs} ms`)
  }
})

t.test('so is one that speaks every few seconds where reads are as old as they may be', async (t) => {
  for (const everyMs of [250, 1_000, 1_500, 1_750, 2_500, 4_000]) {
    const afterMs = await foundAfter(everyMs, 15_000)
    t.ok(afterMs <= 30_000, `every ${everyMs} ms: ${afterMs} ms`)
  }
})

t.test('one that speaks more rarely is found within 30 s of the first change that it misses', async (t) => {
  for (const everyMs of [17_000, 20_000, 25_000, 30_000]) {
    const afterMs = (await foundAfter(everyMs)) - everyMs
    t.ok(afterMs <= 30_000, `every ${everyMs} ms: ${afterMs} ms`)
  }
})
