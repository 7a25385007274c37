import t from 'tap'
import type { Sample } from '../../faults/sample.ts'
import { undisturbed } from '../../faults/solo/undisturbed.ts'
import { lostForGood, type Receiver, type Sender, unreceived } from '../../faults/unreceived.ts'

/** A venue and a gateway that answer one count after the other, the last one for ever. */
function pair(sent: number[], received: number[], more: { pongs?: number; dropped?: number } = {}) {
  const next = (counts: number[]) => (counts.length > 1 ? counts.shift() : counts[0]) as number
  const venues: Sender = {
    state: async () => {
      const framesSent = next(sent)
      const wires = { kalshi: { framesSent }, polymarket: { framesSent, pongsSent: more.pongs ?? 0 } }
      return { wires, firings: { 'kalshi:drop_delta': { count: more.dropped ?? 0 } } } as never
    }
  }
  const gateway: Receiver = { venue: async () => ({ counters: { frames: next(received) } }) as never }
  return [venues, gateway] as const
}

t.test('messages are counted while the venue sends none', async (t) => {
  t.equal(await unreceived(...pair([5, 6, 7, 7], [5, 5]), 'kalshi'), 2)
  t.equal(await unreceived(...pair([7], [5, 6, 5]), 'kalshi'), 1, 'one was on its way at times')
  const endless = Array.from({ length: 200 }, (_, count) => count)
  t.equal(await unreceived(...pair(endless, [0]), 'kalshi'), null, 'no still moment')
})

t.test('what a fault kept back is lost, an answer to a ping is not', async (t) => {
  t.equal(await unreceived(...pair([9], [9], { dropped: 3 }), 'kalshi', 'drop_delta'), 3)
  t.equal(await unreceived(...pair([9], [9], { dropped: 3 }), 'kalshi'), 0)
  t.equal(await unreceived(...pair([9], [7], { pongs: 2 }), 'polymarket'), 0)
})

t.test('a message on its way is waited for; one that never comes is lost', async (t) => {
  t.equal(await lostForGood(...pair([9], [6, 7, 8, 9]), 'kalshi'), 0)
  t.equal(await lostForGood(...pair([9], [6, 7]), 'kalshi'), 2)
})

t.test('a run that must disturb nobody may lose no message', async (t) => {
  const look: Sample = {
    atMs: 0,
    books: new Map(
      ['kalshi:A', 'polymarket:B'].map((id) => [
        id,
        { state: 'live', reason: null, right: true, mismatches: 0, status: 'active' }
      ])
    ),
    counters: new Map()
  }
  const samples = [{ ...look, atMs: 250 }]
  t.match(undisturbed(look, samples, 0), { messagesLost: 0, failures: [] })
  t.match(undisturbed(look, samples, 2), { messagesLost: 2, failures: ['2 messages were lost'] })
  t.match(undisturbed(look, samples, null), { messagesLost: null, failures: [] })
})
