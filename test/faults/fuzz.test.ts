import t from 'tap'
import { Comparison } from '../../faults/fuzz/comparison.ts'
import { mutate } from '../../faults/fuzz/mutate.ts'
import { fuzz } from '../../faults/fuzz/run.ts'
import type { Twin } from '../../faults/fuzz/source.ts'
import { BookTable } from '../../services/integrity/book-table.ts'
import { Counters } from '../../services/venue/counters.ts'
import { createRandom } from '../../simulator/model/random.ts'

for (const venue of ['kalshi', 'polymarket'] as const) {
  t.test(`${venue}: spoilt frames do no lasting harm`, async (t) => {
    const { failures, mutated, applied } = fuzz({ venue, frames: 1_500, seed: 5 })
    t.strictSame(failures, [])
    t.ok(mutated > 1_000 && applied > 300, `${mutated} spoilt, ${applied} applied`)
  })
}

t.test('the same seed spoils in the same way', async (t) => {
  const spoil = () => {
    const random = createRandom(9)
    return Array.from({ length: 200 }, () =>
      mutate('{"a":"0.42","b":[{"c":1}]}', '{"d":2}', random).toString('hex')
    )
  }
  t.strictSame(spoil(), spoil())
  t.ok(new Set(spoil()).size > 120)
})

t.test('two ways of reading that part are told once', async (t) => {
  const twin = (): Twin => ({
    table: new BookTable({ capacityMarkets: 2, capacityLevels: 64 }),
    counters: new Counters(),
    apply: () => {},
    reconnect: () => {}
  })
  const twins: [Twin, Twin] = [twin(), twin()]
  const comparison = new Comparison(twins, 2)
  t.strictSame(comparison.differences(), [])
  twins[0].counters.ignore('drift')
  twins[1].counters.observe('odd')
  twins[0].table.raise(1, 'crossed')
  t.strictSame(
    comparison.differences().map((text) => text.split(' ')[0]),
    ['ignored.drift', 'seen.odd', 'verdict', 'version']
  )
  t.strictSame(comparison.differences(), [])
})
