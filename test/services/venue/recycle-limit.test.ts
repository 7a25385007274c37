import t from 'tap'
import { RecycleLimit } from '../../../services/venue/recycle-limit.ts'

const MINUTE_MS = 60_000

t.test('one book that stays wrong never costs its connection', async (t) => {
  let nowMs = 0
  const limit = new RecycleLimit(() => nowMs)
  for (; nowMs < 600 * MINUTE_MS; nowMs += MINUTE_MS / 2) t.notOk(limit.stayedWrong('p/0/1', 'A'))
})

t.test('two books cost it, and more rarely each time', async (t) => {
  let nowMs = 0
  const limit = new RecycleLimit(() => nowMs)
  t.notOk(limit.stayedWrong('p/0/0', 'A'))
  t.notOk(limit.stayedWrong('p/0/1', 'B'), 'these were two connections')
  const recycled: number[] = []
  for (let era = 1; nowMs < 300 * MINUTE_MS; nowMs += MINUTE_MS)
    for (const assetId of ['A', 'B'])
      if (limit.stayedWrong(`p/0/${era}`, assetId)) {
        recycled.push(nowMs / MINUTE_MS)
        era++
      }
  t.same(recycled, [0, 10, 30, 70, 130, 190, 250])
})

t.test('books that were wrong at different times say nothing', async (t) => {
  let nowMs = 0
  const limit = new RecycleLimit(() => nowMs)
  t.notOk(limit.stayedWrong('p/0/1', 'A'))
  nowMs = 10 * MINUTE_MS
  t.notOk(limit.stayedWrong('p/0/1', 'B'))
})
