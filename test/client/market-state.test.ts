import t from 'tap'
import { bookState } from '../../client/src/channels.ts'
import { told } from './scripted-gateway.ts'

t.test('what waits for a reader that does not read is no more than there is', async (t) => {
  let conflated = 0
  const state = bookState(() => conflated++)
  const reader = state.open(() => {})
  state.line(true)
  state.whole()
  for (let n = 0; n < 1_000; n++) {
    state.told([told(`m${n}`, 1, null, '1')], n === 0 ? [] : [`m${n - 1}`])
    state.told([told(`m${n}`, 2, 1, '2')], [])
  }
  t.match(await reader.next(), { value: { id: 'm999', value: { version: 2 }, isConflated: false } })
  let isAnswered = false
  const next = reader.next().then((result) => {
    isAnswered = true
    return result
  })
  await new Promise((resolve) => setImmediate(resolve))
  t.notOk(isAnswered, 'markets that came and went unread are not told of')
  state.told([], ['m999'])
  t.match(await next, { value: { id: 'm999', value: null } })
  t.equal(conflated, 0, 'of what it never was handed, a reader misses nothing')
})

t.test('a reader that comes later is handed at first what is held', async (t) => {
  const state = bookState(() => {})
  state.line(true)
  state.told([told('a', 1, null, '1'), told('b', 1, null, '1')], [])
  state.whole()
  const reader = state.open(() => {})
  t.match(await reader.next(), { value: { id: 'a', isCurrent: true } })
  t.match(await reader.next(), { value: { id: 'b', isCurrent: true } })
  state.line(false)
  state.line(true)
  state.told([told('b', 2, 1, '2')], [])
  t.match(
    await reader.next(),
    { value: { id: 'b', value: { version: 2 } } },
    'a doubt that is over is not told'
  )
})
