import t from 'tap'
import { BookTable } from '../../services/integrity/book-table.ts'
import { SequenceTracker } from '../../services/integrity/sequence.ts'
import { REASONS, stateOf } from '../../services/integrity/verdict.ts'

t.test('a sequence number is next, a duplicate, or a gap', async (t) => {
  const tracker = new SequenceTracker()
  t.equal(tracker.check(1), 'next')
  t.equal(tracker.check(2), 'next')
  t.equal(tracker.check(2), 'duplicate')
  t.equal(tracker.check(5), 'gap')
  t.equal(tracker.check(6), 'next', 'one loss is one gap')
  t.equal(tracker.check(4), 'late', 'one that changed places is no second gap')
  t.equal(tracker.check(7), 'next')
  t.equal(tracker.check(1), 'gap', 'a foreign counter')
  t.equal(tracker.check(2), 'next')
})

t.test('a book’s state is that of its most important reason', async (t) => {
  const table = new BookTable({ capacityMarkets: 2, capacityLevels: 100 })
  const touched: number[] = []
  const states: string[] = []
  table.onTouch = (slot) => touched.push(slot)
  table.onState = (slot) => states.push(table.verdicts.state(slot))
  const slot = table.allocate()
  t.equal(table.verdicts.state(slot), 'syncing')
  t.equal(table.verdicts.reason(slot), 'awaiting_snapshot')
  table.resynced(slot)
  t.equal(table.verdicts.state(slot), 'live')
  t.equal(table.verdicts.reason(slot), null)
  table.raise(slot, 'disconnected')
  table.raise(slot, 'sequence_gap')
  t.equal(table.verdicts.state(slot), 'suspect')
  table.raise(slot, 'venue_paused')
  t.match(table.verdicts.get(slot), { state: 'halted', reason: 'venue_paused' })
  table.resynced(slot)
  t.equal(table.verdicts.state(slot), 'halted', 'a snapshot does not end a pause')
  table.clear(slot, 'venue_paused')
  t.equal(table.verdicts.state(slot), 'live')
  t.strictSame(states, ['live', 'stale', 'suspect', 'halted', 'live'])
  const before = touched.length
  table.clear(slot, 'silent')
  t.equal(touched.length, before, 'nothing changed, nobody is told')
})

t.test('every reason brings its state, alone and over those below it', async (t) => {
  for (const [index, [, state]] of REASONS.entries()) {
    t.equal(stateOf(1 << index), state)
    t.equal(stateOf((2 ** REASONS.length - 1) & ~((1 << index) - 1)), state)
  }
  t.equal(stateOf(0), 'live')
})

t.test('what a message says of a book is kept as it came', async (t) => {
  const table = new BookTable({ capacityMarkets: 1, capacityLevels: 100 })
  const slot = table.allocate()
  t.match(table.verdicts.get(slot), {
    sequence: null,
    venueTimeMs: null,
    receivedAtMs: null,
    verifiedAtMs: null
  })
  table.received(slot, 1_000, 990, 7)
  table.received(slot, 2_000, Number.NaN, Number.NaN)
  table.setSource(slot, 'poll')
  t.match(table.verdicts.get(slot), { sequence: null, venueTimeMs: 990, receivedAtMs: 2_000, source: 'poll' })
})

t.test('a full table refuses, and a freed slot starts anew with a version that goes on', async (t) => {
  const table = new BookTable({ capacityMarkets: 1, capacityLevels: 100 })
  const slot = table.allocate()
  t.equal(table.allocate(), -1)
  table.resynced(slot)
  const version = table.versions[slot] as number
  table.release(slot)
  t.equal(table.allocate(), slot)
  t.equal(table.verdicts.state(slot), 'syncing')
  t.ok((table.versions[slot] as number) > version)
})
