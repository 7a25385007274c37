import t from 'tap'
import { SeenTrades } from '../../../services/venue/seen-trades.ts'

t.test('a trade is new once, as long as it is remembered', async (t) => {
  const seen = new SeenTrades()
  t.ok(seen.isNew('first'))
  t.notOk(seen.isNew('first'))
  for (let i = 0; i < 25_000; i++) seen.isNew(String(i))
  t.notOk(seen.isNew('first'), 'many trades later')
  for (let i = 25_000; i < 50_000; i++) seen.isNew(String(i))
  t.ok(seen.isNew('first'), 'not for ever')
})
