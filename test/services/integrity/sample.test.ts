import t from 'tap'
import { Incidents } from '../../../services/integrity/incidents.ts'
import { withoutPrivate } from '../../../services/integrity/sample.ts'
import { FrameLog } from '../../../services/venue/frame-log.ts'

t.test('what names an account or an order, and secrets, are blanked', async (t) => {
  for (const key of [
    'order_id',
    'client_order_id',
    'user_id',
    'userName',
    'member',
    'member_id',
    'subaccount',
    'subaccount_number',
    'api_key',
    'apiKey',
    'secret',
    'signature',
    'token',
    'access_token'
  ])
    for (const value of ['"a\\"bc"', '71', 'null', '{"x":"abc"}', '["abc","d"]', '"cut of', '"cut\\'])
      t.equal(
        withoutPrivate(`{"p":1,"${key}": ${value}`).replace(/}$/, ''),
        `{"p":1,"${key}": "***"`,
        `${key} ${value}`
      )
})

t.test('everything else is left as it came', async (t) => {
  const frame =
    '{"asset_id":"7","token_id":"8","price":"0.4","tokens":[1],"market":"0xab","order_ids":2,"x":"token"}'
  t.equal(withoutPrivate(frame), frame)
  t.equal(withoutPrivate('not json "secret'), 'not json "secret')
})

t.test('neither incidents nor the log tell secrets', async (t) => {
  const sample = '{"client_order_id":"mine","price":1}'
  const incidents = new Incidents()
  incidents.note({ venue: 'kalshi', kind: 'drift', detail: 'x', sample })
  t.equal(incidents.latest(1)[0]?.sample, '{"client_order_id":"***","price":1}')
  const lines: unknown[] = []
  new FrameLog({ warn: (line: unknown) => lines.push(line) }).note('drift', Buffer.from(sample))
  t.match(lines, [{ sample: '{"client_order_id":"***","price":1}' }])
})
