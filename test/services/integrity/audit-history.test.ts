import t from 'tap'
import { AuditHistory } from '../../../services/integrity/audit-history.ts'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { fingerprintOf } from '../../../services/integrity/fingerprint.ts'
import { YES } from '../../../services/orderbook/arena.ts'

const VERSIONS = 4

/** A watched book that is empty from 0 ms on and has `size` at one price from `size` seconds on. */
function changing(sizes: number) {
  const table = new BookTable({ capacityMarkets: 1, capacityLevels: 100 })
  const slot = table.allocate()
  let nowMs = 0
  const history = new AuditHistory({ table, versions: VERSIONS, capacity: 1, steadyNow: () => nowMs })
  history.watch(slot, nowMs)
  const prints = [fingerprintOf(table.arena, slot)]
  for (let size = 1; size <= sizes; size++) {
    nowMs = size * 1_000
    table.arena.setLevel(slot, YES, 4_200, size)
    table.touch(slot)
    prints.push(fingerprintOf(table.arena, slot))
  }
  const had = (fromMs: number) => prints.map((print) => history.had(slot, print, fromMs))
  return { table, slot, history, had }
}

t.test('a version was there until the next one began', async (t) => {
  const { history, slot, had } = changing(2)
  t.strictSame(had(0), [true, true, true])
  t.strictSame(had(1_000), [false, true, true])
  t.strictSame(had(1_999), [false, true, true])
  t.strictSame(had(5_000), [false, false, true])
  t.ok(history.covers(slot, 0))
})

t.test('the oldest versions make room for new ones, and it is known since when all are there', async (t) => {
  const { history, slot, had } = changing(10)
  t.strictSame(had(0), [...Array(7).fill(false), ...Array(VERSIONS).fill(true)])
  t.ok(history.covers(slot, 7_000))
  t.notOk(history.covers(slot, 6_999))
})

t.test('a change that leaves the book as it was is no version', async (t) => {
  const { table, history, slot, had } = changing(3)
  for (let i = 0; i < 10; i++) table.touch(slot)
  t.strictSame(had(0), [true, true, true, true])
  t.ok(history.covers(slot, 0))
})

t.test('a watched book may be known for longer only while it is unchanged', async (t) => {
  const still = changing(0)
  t.ok(still.history.extend(still.slot, -500))
  t.ok(still.history.covers(still.slot, -500))
  t.ok(still.history.extend(still.slot, 500), 'what is known already is not forgotten')
  t.ok(still.history.covers(still.slot, -500))
  const changed = changing(1)
  t.notOk(changed.history.extend(changed.slot, -500))
})
