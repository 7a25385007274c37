import fc from 'fast-check'
import t from 'tap'
import type { Market, MarketStatus } from '../../../schemas/market.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { ByteIndex } from '../../../services/venue/byte-index.ts'
import { Catalogue, type Discovered } from '../../../services/venue/catalogue.ts'
import { hold } from '../../../services/venue/frame-bytes.ts'
import { market } from '../../helper.ts'

const found = (id: string, volume24h: string | null, status: MarketStatus = 'open'): Discovered => ({
  market: market(0, { id: `kalshi:${id}`, venueMarketId: id, volume24h, status }),
  rules: '',
  event: null
})

function catalogue(maxMarkets: number, capacityMarkets = 100) {
  const store = new SnapshotStore({ capacityMarkets, capacityLevels: 1_000 })
  const clock = { nowMs: 0 }
  const followed = new Catalogue({
    venue: 'kalshi',
    sink: store,
    maxMarkets,
    retentionMs: 1_000,
    now: () => clock.nowMs
  })
  const ids = () =>
    [...followed.markets()].map(({ market }: { market: Market }) => market.venueMarketId).sort()
  return { store, clock, followed, ids }
}

t.test('follows the busiest markets, and those named whatever their volume', async (t) => {
  const { followed, ids, store } = catalogue(2)
  const all = [found('A', '5'), found('B', '90'), found('C', null), found('D', '10')]
  const { added } = followed.apply(all, new Set(['kalshi:C']))
  t.strictSame(
    added.map(({ id }) => id),
    ['kalshi:C', 'kalshi:B']
  )
  t.strictSame(ids(), ['B', 'C'])
  t.equal(store.size, 2)
})

t.test('a market at the border of the selection does not flap', async (t) => {
  const { followed, ids } = catalogue(5)
  const at = (volumes: Record<string, string>) =>
    Object.entries(volumes).map(([id, volume]) => found(id, volume))
  followed.apply(at({ A: '9', B: '8', C: '7', D: '6', E: '5', F: '4' }))
  t.strictSame(ids(), ['A', 'B', 'C', 'D', 'E'])
  const slight = followed.apply(at({ A: '9', B: '8', C: '7', D: '6', E: '5', F: '5.5' }))
  t.match(slight, { added: [], dropped: [] })
  const clear = followed.apply(at({ A: '9', B: '8', C: '7', D: '6', E: '1', F: '5', G: '4' }))
  t.strictSame(
    [clear.added.map(({ id }) => id), clear.dropped.map(({ id }) => id)],
    [['kalshi:F'], ['kalshi:E']]
  )
})

t.test('an ended market is served until its retention is over, then leaves memory', async (t) => {
  const { followed, store, clock } = catalogue(5)
  followed.apply([found('A', '1'), found('B', '2')])
  const { dropped } = followed.apply([found('A', '1', 'settled'), found('B', '2')])
  t.strictSame(
    dropped.map(({ id }) => id),
    ['kalshi:A']
  )
  t.match(store.get('kalshi:A')?.market, { status: 'settled' })
  t.equal(store.books.verdicts.state(store.get('kalshi:A')?.slot as number), 'closed')
  clock.nowMs = 999
  t.equal(followed.sweep(), 0)
  clock.nowMs = 1_000
  t.equal(followed.sweep(), 1)
  t.equal(store.get('kalshi:A'), undefined)
})

t.test('ended markets give way when every slot is in use', async (t) => {
  const { followed, store, ids } = catalogue(2, 2)
  followed.apply([found('A', '1'), found('B', '2')])
  followed.apply([found('A', '1', 'closed'), found('B', '2'), found('C', '3')])
  t.strictSame(ids(), ['B', 'C'])
  t.equal(store.get('kalshi:A'), undefined)
  followed.follow(found('D', '4'))
  t.strictSame(ids(), ['B', 'C'], 'nothing ended is left to give way')
})

t.test('an ended market that was never followed leaves memory like the others', async (t) => {
  const { followed, store, clock, ids } = catalogue(5)
  followed.follow(found('A', '1', 'settled'))
  t.strictSame(ids(), [])
  t.ok(store.get('kalshi:A'))
  clock.nowMs = 500
  followed.follow(found('A', '2', 'settled'))
  clock.nowMs = 1_000
  t.equal(followed.sweep(), 1)
  t.equal(store.size, 0)
})

t.test('a byte index finds what a map of texts finds, through removals and growth', async () => {
  const id = fc.stringMatching(/^[A-Z0-9.-]{1,80}$/)
  fc.assert(
    fc.property(fc.array(fc.tuple(id, fc.boolean()), { maxLength: 2_000, minLength: 700 }), (steps) => {
      const index = new ByteIndex()
      const naive = new Map<string, number>()
      for (const [slot, [key, add]] of steps.entries()) {
        if (add) {
          index.set(key, slot)
          naive.set(key, slot)
        } else {
          index.delete(key)
          naive.delete(key)
        }
      }
      return steps.every(([key]) => {
        const frame = Buffer.from(`{"x":"${key}"}`)
        return (
          hold(frame) &&
          index.find(6, 6 + key.length) === (naive.get(key) ?? -1) &&
          index.get(key) === naive.get(key)
        )
      })
    }),
    { numRuns: 20 }
  )
})

t.test(
  'of markets that several processes share, each follows its own, and takes over others at once',
  async (t) => {
    const store = new SnapshotStore({ capacityMarkets: 100, capacityLevels: 1_000 })
    let mine = new Set(['kalshi:A', 'kalshi:B'])
    const shared = new Catalogue({
      venue: 'kalshi',
      sink: store,
      maxMarkets: 3,
      retentionMs: 1_000,
      reads: ({ id }) => mine.has(id)
    })
    const ids = (markets: Iterable<{ id: string }>) => [...markets].map(({ id }) => id).sort()
    const all = [found('A', '9'), found('B', '8'), found('C', '7'), found('D', '6')]
    t.strictSame(ids(shared.apply(all).added), ['kalshi:A', 'kalshi:B'])
    t.strictSame(ids(store.records()), ['kalshi:A', 'kalshi:B'])
    t.strictSame(shared.reselect(), { added: [], dropped: [] })

    mine = new Set(['kalshi:B', 'kalshi:C', 'kalshi:D'])
    const change = shared.reselect()
    t.strictSame(ids(change.added), ['kalshi:C'], 'D is too quiet to be among the selected')
    t.strictSame(ids(change.dropped), ['kalshi:A'])
    t.strictSame(ids(store.records()), ['kalshi:B', 'kalshi:C'])

    mine = new Set(['kalshi:A', 'kalshi:B', 'kalshi:C'])
    t.strictSame(ids(shared.reselect().added), ['kalshi:A'], 'what was given away is still at hand')
    t.comment('one that ends while another reads it does not come back')
    mine = new Set(['kalshi:B'])
    shared.reselect()
    shared.follow(found('A', '9', 'settled'))
    mine = new Set(['kalshi:A', 'kalshi:B'])
    t.strictSame(ids(shared.reselect().added), [])
  }
)
