import t from 'tap'
import type { Event } from '../../../schemas/event.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { createRandom } from '../../../simulator/model/random.ts'
import { market, serve } from '../../helper.ts'
import { differences, startRole } from './apps.ts'
import { inspector, NO_REDIS, ownCluster, REDIS_URL, until } from './real-redis.ts'

const MARKETS = 60

t.test('a replica answers byte for byte what its writer answers', { skip: NO_REDIS }, async (t) => {
  const CLUSTER_NAME = ownCluster()
  inspector(t, REDIS_URL, CLUSTER_NAME)
  const ingest = await startRole(t, 'ingest', { REDIS_URL, CLUSTER_NAME })
  const store = ingest.snapshotStore
  for (let n = 0; n < MARKETS; n++) serve(store, market(n))
  const early = await startRole(t, 'api', { REDIS_URL, CLUSTER_NAME })
  await until(() => early.snapshotStore.size === MARKETS, 'the replica was filled')
  await until(async () => (await differences(ingest, early)).length === 0, 'the first replica has all')

  t.comment('changes of levels, verdicts, metadata and events; markets that come and go')
  const random = createRandom(7)
  const { books } = store
  for (let round = 0; round < 40; round++) {
    for (let change = 0; change < 50; change++) {
      const record = store.get(market(random.between(0, MARKETS - 1)).id)
      if (record === undefined) continue
      const { slot } = record
      const outcome = random.chance(0.5) ? YES : NO
      const price = 100 * random.between(1, outcome === YES ? 40 : 55)
      books.arena.setLevel(slot, outcome, price, random.chance(0.3) ? 0 : random.between(1, 9_999_999))
      books.received(slot, 1_790_000_000_000 + round, 1_790_000_000_000.5, round)
      if (random.chance(0.05)) books.raise(slot, 'sequence_gap')
      if (random.chance(0.2)) books.resynced(slot)
      if (random.chance(0.1)) books.verdicts.verified(slot, 1_790_000_000_123)
      if (random.chance(0.05)) books.setSource(slot, random.chance(0.5) ? 'poll' : 'websocket')
      books.touch(slot)
    }
    const n = random.between(0, MARKETS - 1)
    if (round % 4 === 0) store.remove(market(n).id)
    else if (round % 4 === 1) serve(store, market(n, { title: `Number ${n}, round ${round}` }))
    else if (round % 4 === 2) store.patch(market(n).id, { status: round % 8 === 2 ? 'halted' : 'open' })
    else store.patch(market(n).id, { eventId: `kalshi:KXTEST-EVENT-${round % 5}` })
    if (round === 20)
      store.putEvent({ ...(store.getEvent('kalshi:KXTEST-EVENT-1') as Event), title: 'Renamed' })
    await new Promise((resolve) => setTimeout(resolve, 15))
  }
  await until(async () => (await differences(ingest, early)).length === 0, 'the first replica caught up')
  const late = await startRole(t, 'api', { REDIS_URL, CLUSTER_NAME })
  await until(async () => (await differences(ingest, late)).length === 0, 'a late replica has the same')
  t.equal(late.snapshotStore.size, store.size)
  const status = early.replication?.health().replica
  t.match(status, { gaps: 0, withoutRoom: 0, unreadable: 0, filled: true })
  t.ok((status?.changes ?? 0) > 40)
})
