import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { VenueRestError } from '../../../services/errors.ts'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { Incidents } from '../../../services/integrity/incidents.ts'
import { KalshiAudits } from '../../../services/kalshi/audits.ts'
import { YES } from '../../../services/orderbook/arena.ts'

t.test(
  'where batches are refused books are read one by one, and batches are tried again later',
  async (t) => {
    const table = new BookTable({ capacityMarkets: 4, capacityLevels: 100 })
    const slots = [0, 1, 2].map(() => table.allocate())
    for (const slot of slots) {
      table.arena.setLevel(slot, YES, 4_000, 7_000_000)
      table.resynced(slot)
    }
    let laterMs = 0
    let batches = 0
    const singles: string[] = []
    const dropped: string[] = []
    const renewed: number[] = []
    const audits = new KalshiAudits({
      table,
      rest: {
        hasRoom: true,
        orderBooks: async () => {
          batches++
          throw new VenueRestError('GET /markets/orderbooks answered 401', 401, false)
        },
        orderBook: async (ticker) => {
          singles.push(ticker)
          return { yes_dollars: [['0.4000', ticker === 'T2' ? '8.00' : '7.00']] }
        }
      },
      stream: () => ({
        live: () => null,
        tickerOf: (slot) => `T${slot}`,
        slots: () => slots,
        renew: (slot) => renewed.push(slot),
        drop: (reason) => dropped.push(reason)
      }),
      incidents: new Incidents(),
      periodMs: 2_000,
      pollIntervalMs: 3_600_000,
      log: { warn: () => {} },
      now: Date.now,
      steadyNow: () => performance.now() + laterMs,
      random: () => 0
    })
    t.teardown(() => audits.stop())
    audits.start()
    while (audits.status().audit.equal < 2 || renewed.length === 0) await sleep(10)
    t.equal(batches, 1)
    t.ok(new Set(singles).size === 3)
    t.same([...new Set(renewed)], [2], 'the wrong one is subscribed anew')
    t.match(audits.status().audit, { failedReads: 1 })
    laterMs = 600_000
    while (batches < 2) await sleep(10)
    t.same(dropped, [], 'one wrong book is not the connection’s')
  }
)

t.test('one book that stays wrong is subscribed anew each time; two are the connection’s', async (t) => {
  const table = new BookTable({ capacityMarkets: 4, capacityLevels: 100 })
  const slots = [0, 1, 2].map(() => table.allocate())
  for (const slot of slots) {
    table.arena.setLevel(slot, YES, 4_000, 7_000_000)
    table.resynced(slot)
  }
  const wrong = new Set(['T2'])
  const renewed: number[] = []
  const dropped: string[] = []
  const audits = new KalshiAudits({
    table,
    rest: {
      hasRoom: true,
      orderBook: async () => null,
      orderBooks: async (tickers) =>
        new Map(
          tickers.map((ticker) => [
            ticker,
            { yes_dollars: [['0.4000', wrong.has(ticker) ? '8.00' : '7.00']] }
          ])
        )
    },
    stream: () => ({
      live: () => null,
      tickerOf: (slot) => `T${slot}`,
      slots: () => slots,
      renew: (slot) => {
        renewed.push(slot)
        table.resynced(slot)
      },
      drop: (reason) => dropped.push(reason)
    }),
    incidents: new Incidents(),
    periodMs: 500,
    pollIntervalMs: 3_600_000,
    log: { warn: () => {} },
    now: Date.now,
    // Ten times as fast: a suspect is looked at again after seconds.
    steadyNow: () => performance.now() * 10,
    random: () => 0
  })
  t.teardown(() => audits.stop())
  audits.start()
  while (renewed.length < 4) await sleep(10)
  t.same([...new Set(renewed)], [2])
  t.same(dropped, [])
  wrong.add('T1')
  while (dropped.length === 0) await sleep(10)
  t.ok(renewed.filter((slot) => slot === 1).length >= 2, 'not before the second one stayed wrong as well')
})

for (const status of [404, 200])
  t.test(`a market without a book (${status}) does not hold up the single reads of the others`, async (t) => {
    const table = new BookTable({ capacityMarkets: 4, capacityLevels: 100 })
    const slots = [0, 1, 2].map(() => table.allocate())
    for (const slot of slots) {
      table.arena.setLevel(slot, YES, 4_000, 7_000_000)
      table.resynced(slot)
    }
    const read = new Set<string>()
    const audits = new KalshiAudits({
      table,
      rest: {
        hasRoom: true,
        orderBooks: async () => {
          throw new VenueRestError('GET /markets/orderbooks answered 401', 401, false)
        },
        orderBook: async (ticker) => {
          if (ticker === 'T0') throw new VenueRestError('no book', status, false)
          read.add(ticker)
          return { yes_dollars: [['0.4000', '7.00']] }
        }
      },
      stream: () => ({
        live: () => null,
        tickerOf: (slot) => `T${slot}`,
        slots: () => slots,
        renew: () => {},
        drop: () => {}
      }),
      incidents: new Incidents(),
      periodMs: 2_000,
      pollIntervalMs: 3_600_000,
      log: { warn: () => {} },
      now: Date.now,
      steadyNow: () => performance.now(),
      random: () => 0
    })
    t.teardown(() => audits.stop())
    audits.start()
    while (read.size < 2 || audits.status().audit.explained.not_read < 1) await sleep(10)
    t.match(audits.status().audit, { failedReads: 1 }, 'only the batch')
  })

t.test('a book that comes after its market left its slot is nobody’s', async (t) => {
  const table = new BookTable({ capacityMarkets: 4, capacityLevels: 100 })
  const slots = [table.allocate(), table.allocate()] as const
  const tickers = new Map<number, string>([
    [slots[0], 'T0'],
    [slots[1], 'T1']
  ])
  for (const slot of slots) {
    table.arena.setLevel(slot, YES, 4_000, 7_000_000)
    table.resynced(slot)
  }
  const polled: number[] = []
  let asked = 0
  const audits = new KalshiAudits({
    table,
    rest: {
      hasRoom: true,
      orderBook: async () => null,
      orderBooks: async (asks) => {
        asked++
        // The slot of one of them is given to another market while the answer is under way.
        if (asked === 1) tickers.set(slots[1], 'T2')
        return new Map(asks.map((ticker) => [ticker, { yes_dollars: [['0.4000', '7.00']] }]))
      }
    },
    stream: () => ({
      live: () => null,
      tickerOf: (slot) => tickers.get(slot),
      slots: () => slots,
      renew: () => {},
      drop: () => {}
    }),
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
  while (asked < 2) await sleep(10)
  t.same(polled, [slots[0], slots[0], slots[1]])
  t.match(audits.status().audit, { polls: { books: 3, equal: 3 } })
})
