import t from 'tap'
import { differences } from './held-stream.ts'
import { disturb, listen, randomFrom, turns, world } from './world.ts'

const LIMITS = {
  subscriptions: 10,
  bufferBytes: 64 << 10,
  stallTimeoutMs: 30_000,
  idleTimeoutMs: 60_000,
  keepAliveMs: 20_000
}
/** A message may begin while there is room, so this is what may wait at most. */
const BOUND_BYTES = LIMITS.bufferBytes + (140 << 10)

function flood(here: ReturnType<typeof world>, seed: number) {
  const { store, ids } = here
  const random = randomFrom(seed)
  return async (changes: number) => {
    for (let n = 0; n < changes; n++) {
      const record = store.get(ids[Math.floor(random() * ids.length)] as string)
      if (record !== undefined) disturb(store, record.slot, random)
      if (n % 3 === 0) await turns(1)
    }
    await turns()
  }
}

t.test(
  'a client that stops reading holds bounded bytes, is told what it missed, and has the latest books',
  async (t) => {
    const here = world(t, 20, { limits: LIMITS })
    const { store, hub, ids } = here
    const change = flood(here, 1)
    const slow = listen(hub, { channel: 'book' })
    const quick = listen(hub, { channel: 'book' })
    await turns()
    for (let round = 0; round < 5; round++) {
      slow.pause()
      await change(2_000)
      slow.resume()
      await change(30)
      t.same(differences(slow.held.books, store, ids), [], `round ${round}`)
    }
    t.ok(slow.peakBytes <= BOUND_BYTES, `${slow.peakBytes} bytes waited at most`)
    t.equal(slow.held.lags, 5)
    t.equal(
      slow.held.seqs.length + slow.held.leftOut,
      quick.held.seqs.length,
      'every message came or was named'
    )
    t.same(differences(quick.held.books, store, ids), [])
    t.equal(quick.held.lags, 0)
  }
)

t.test('a market that left while the client did not read is named by the lag', async (t) => {
  const here = world(t, 20, { limits: LIMITS })
  const { store, hub, ids } = here
  const change = flood(here, 2)
  const slow = listen(hub, { channel: 'book' })
  await turns()
  slow.pause()
  await change(1_000)
  store.remove(ids[4] as string)
  await change(100)
  slow.resume()
  await turns()
  t.match(
    slow.messages.find(({ type }) => type === 'lag'),
    { removed: [ids[4]] }
  )
  t.same(
    differences(
      slow.held.books,
      store,
      ids.filter((id) => id !== ids[4])
    ),
    []
  )
})

t.test('with the policy disconnect it is closed with a code and a reason; the others go on', async (t) => {
  const here = world(t, 20, { limits: LIMITS })
  const { store, hub, ids } = here
  const change = flood(here, 3)
  const slow = listen(hub, { channel: 'book', policy: 'disconnect' })
  const quick = listen(hub, { channel: 'book' })
  slow.pause()
  await change(2_000)
  t.same(slow.closed, [4_000, 'it read too slowly, and its policy is to disconnect'])
  t.same(differences(quick.held.books, store, ids), [])
  t.match(hub.status(), { clients: 1, closedSlow: 1 })
})

t.test('whoever never reads again is closed after its time, and its memory is given back', async (t) => {
  let nowMs = 0
  const here = world(t, 20, { limits: LIMITS, steadyNow: () => nowMs })
  const { hub } = here
  const change = flood(here, 4)
  const slow = listen(hub, { channel: 'book' })
  slow.pause()
  await change(2_000)
  nowMs = LIMITS.stallTimeoutMs + 1
  while (hub.status().clients > 0) await new Promise((resolve) => setTimeout(resolve, 20))
  t.match(slow.closed, [4_001])
  t.match(hub.status(), { subscriptions: 0, waitingBytes: 0 })
})

t.test('trades that were held back are sent after all, and those that are gone are named', async (t) => {
  const { hub, trades, ids } = world(t, 1, { limits: LIMITS, rings: { messages: 1_000, bytes: 1 << 20 } })
  const trade = (n: number) => ({
    marketId: ids[0] as string,
    tradeId: String(n),
    venueTimeMs: null,
    receivedAtMs: 1_795_000_000_000 + n,
    price: 4_200,
    size: 1_500_000,
    takerSide: 'yes' as const
  })
  const slow = listen(hub, { channel: 'trades', markets: ids })
  let told = 0
  const tell = async (count: number) => {
    for (let n = 0; n < count; n++) {
      trades.tell(trade(told++))
      await turns(1)
    }
    await turns()
  }
  await tell(10)
  slow.pause()
  await tell(900)
  slow.resume()
  await turns()
  t.same([slow.held.seqs.length, slow.held.lags], [910, 0])
  slow.pause()
  await tell(2_000)
  slow.resume()
  await turns()
  t.equal(slow.held.lags, 1)
  t.equal(slow.held.seqs.length + slow.held.leftOut, told)
  t.match(slow.messages.at(-1), { trades: [{ tradeId: String(told - 1), price: '0.42', size: '1.5' }] })
})

t.test('a large state comes in slices, with others in between, and is whole in the end', async (t) => {
  const here = world(t, 60, { limits: LIMITS })
  const { store, hub, ids } = here
  for (const id of ids) {
    const { slot } = store.get(id) as { slot: number }
    for (let level = 0; level < 120; level++) store.books.arena.setLevel(slot, 1, 10 + level * 7, 1_234_567)
    store.books.touch(slot)
  }
  const change = flood(here, 6)
  const one = listen(hub, { channel: 'book' })
  await change(500)
  t.ok(one.messages.filter(({ type }) => type === 'snapshot').length > 2)
  t.same(differences(one.held.books, store, ids), [])
  t.ok(one.held.isWhole)
})
