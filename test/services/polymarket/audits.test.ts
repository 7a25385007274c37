import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { Incidents } from '../../../services/integrity/incidents.ts'
import { YES } from '../../../services/orderbook/arena.ts'
import { PolymarketAudits } from '../../../services/polymarket/audits.ts'
import type { ParsedBook } from '../../../services/polymarket/parse.ts'

const book = (assetId: string): ParsedBook => ({
  kind: 'book',
  assetId,
  timestampMs: 1,
  hash: -1,
  bids: [{ price: 4_000, size: 7_000_000 }],
  asks: [],
  market: null,
  tickSize: null,
  lastTrade: null,
  minOrderSize: null,
  negRisk: null
})

t.test('a polled book is its asset’s, wherever that has its slot when the answer comes', async (t) => {
  const table = new BookTable({ capacityMarkets: 4, capacityLevels: 100 })
  const slots = [table.allocate(), table.allocate()] as const
  for (const slot of slots) {
    table.arena.setLevel(slot, YES, 4_000, 7_000_000)
    table.resynced(slot)
  }
  const followed = new Map([
    ['a0', slots[0]],
    ['a1', slots[1]]
  ])
  const polled: number[] = []
  const asked: (readonly string[])[] = []
  const audits = new PolymarketAudits({
    table,
    rest: {
      hasRoomForBooks: true,
      fetchBooks: async (assetIds) => {
        asked.push(assetIds)
        if (asked.length === 1) {
          followed.delete('a1')
          followed.set('a2', slots[1])
        }
        return assetIds.map(book)
      }
    },
    connections: {
      live: () => [],
      resubscribe: () => {},
      move: () => {},
      drop: () => {},
      streamOf: () => null
    },
    followed: () => followed,
    assetOf: (slot) => [...followed].find(([, one]) => one === slot)?.[0] ?? null,
    slotOf: (assetId) => followed.get(assetId),
    marketId: (slot) => `polymarket:${slot}`,
    reread: () => {},
    incidents: new Incidents(),
    onPolled: (slot) => polled.push(slot),
    periodMs: 3_600_000,
    pollIntervalMs: 250,
    log: { warn: () => {} },
    now: Date.now,
    steadyNow: performance.now.bind(performance),
    random: () => 1
  })
  t.teardown(() => audits.stop())
  audits.start()
  while (asked.length < 2) await sleep(10)
  t.same(asked, [
    ['a0', 'a1'],
    ['a0', 'a2']
  ])
  t.same(polled, [slots[0], slots[0], slots[1]])
  t.match(audits.status().audit, { polls: { books: 3, equal: 3 } })
})
