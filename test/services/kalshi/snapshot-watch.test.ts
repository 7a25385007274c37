import t from 'tap'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { SnapshotWatch } from '../../../services/kalshi/snapshot-watch.ts'

const TIMEOUT_MS = 1_000

function open() {
  const table = new BookTable({ capacityMarkets: 2, capacityLevels: 64 })
  return { table, slot: table.allocate(), watch: new SnapshotWatch({ table, timeoutMs: TIMEOUT_MS }) }
}

/** Which steps were taken, and when, up to a time. */
function stepsUntil(watch: SnapshotWatch, endMs: number): [string, number][] {
  const taken: [string, number][] = []
  for (let nowMs = 0; nowMs <= endMs; nowMs += TIMEOUT_MS)
    for (const [step, tickers] of Object.entries(watch.take(nowMs)))
      if (tickers.length > 0) taken.push([step, nowMs / 1_000])
  return taken
}

t.test('a snapshot that never comes is asked for again and again, ever less often', async (t) => {
  const { watch, slot } = open()
  watch.expect('A', slot, 0)
  t.notOk(watch.isSettled)
  t.same(stepsUntil(watch, 110_000), [
    ['ask', 1],
    ['resubscribe', 2],
    ['report', 3],
    ['ask', 33],
    ['resubscribe', 34],
    ['report', 35],
    ['ask', 95],
    ['resubscribe', 96],
    ['report', 97]
  ])
  t.ok(watch.isSettled, 'readiness does not wait for it')
  t.equal(watch.overdue, 1)
  const asks = stepsUntil(watch, 86_400_000).filter(([step]) => step === 'ask')
  const last = asks.slice(-2).map(([, second]) => second)
  t.equal((last[1] as number) - (last[0] as number), 602, 'at the longest every ten minutes')
})

t.test('one that comes at last ends the wait and the report', async (t) => {
  const { watch, slot, table } = open()
  watch.expect('A', slot, 0)
  stepsUntil(watch, 40_000)
  table.resynced(slot)
  t.equal(watch.overdue, 0)
  t.same(stepsUntil(watch, 200_000), [])
})

for (const [reason, asks] of [
  ['drift', [0, 2, 6, 14, 30, 62, 122, 182]],
  ['negative_level', [0, 2, 4, 6, 8, 10, 12, 14]]
] as const)
  t.test(
    `a book that each snapshot leaves with ${reason} again is asked for at a bearable pace`,
    async (t) => {
      const { watch, slot, table } = open()
      table.resynced(slot)
      const asked: number[] = []
      for (let second = 0; asked.length < asks.length; second++) {
        const nowMs = second * 1_000
        table.raise(slot, reason)
        watch.need('A', slot, nowMs)
        if (watch.take(nowMs).ask.length > 0) {
          asked.push(second)
          table.resynced(slot)
          watch.take(nowMs)
        }
      }
      t.same(asked, asks)
    }
  )

t.test('a market that is to be renewed is subscribed anew at once, and once', async (t) => {
  const { watch, slot, table } = open()
  table.resynced(slot)
  table.raise(slot, 'audit_mismatch')
  watch.renew('A', slot, 0)
  t.same(watch.take(0), { ask: [], resubscribe: ['A'], report: [] })
  watch.renew('A', slot, 1)
  t.same(watch.take(1).resubscribe, [], 'it is under way')
  table.resynced(slot)
  t.same(watch.take(TIMEOUT_MS), { ask: [], resubscribe: [], report: [] })
})

t.test('a book whose snapshots were useless is asked for at once when they count again', async (t) => {
  const { watch, slot, table } = open()
  table.resynced(slot)
  table.raise(slot, 'drift')
  watch.need('A', slot, 0)
  const before = stepsUntil(watch, 100_000)
  t.same(before.at(-1), ['report', 96], 'the next would come a minute later')
  watch.needAfresh('A', slot, 101_000)
  t.same(watch.take(101_000).ask, ['A'])
})
