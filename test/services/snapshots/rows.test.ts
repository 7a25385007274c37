import fc from 'fast-check'
import Fastify from 'fastify'
import t, { type Test } from 'tap'
import { Type } from 'typebox'
import { COMPONENT_SCHEMAS } from '../../../schemas/components.ts'
import type { Market, MarketAggregate } from '../../../schemas/market.ts'
import { REASONS, reasonBit } from '../../../services/integrity/verdict.ts'
import { formatScaled } from '../../../services/numbers/decimal.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { getAggregate } from '../../../services/snapshots/aggregate.ts'
import { FRAGMENT_BYTES, Fragments } from '../../../services/snapshots/fragments.ts'
import { marketLines } from '../../../services/snapshots/market-lines.ts'
import type { MarketRecord } from '../../../services/snapshots/market-record.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { market, serve } from '../../helper.ts'

/** Returns what Fastify itself writes for a market, by the schema. */
async function schemaSerializer(t: Test): Promise<(aggregate: MarketAggregate) => string> {
  const app = Fastify()
  t.teardown(() => app.close())
  for (const schema of COMPONENT_SCHEMAS) app.addSchema(schema)
  let serialize: unknown
  app.get('/', { schema: { response: { 200: Type.Ref('MarketAggregate') } } }, (_request, reply) => {
    serialize = reply.getSerializationFunction('200')
    void reply.serializer(() => '').send({})
  })
  await app.inject('/')
  return serialize as (aggregate: MarketAggregate) => string
}

const text = fc.string({ unit: 'binary', maxLength: 60 })
const decimalText = fc
  .tuple(fc.integer({ min: 0, max: 999_999_999_999_999 }), fc.integer({ min: 0, max: 6 }))
  .map(([value, decimals]) => formatScaled(value, decimals))
const isoText = fc
  .integer({ min: 0, max: 253_402_300_799_999 })
  .map((epochMs) => new Date(epochMs).toISOString())
const nullable = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: null })

const marketMeta: fc.Arbitrary<Market> = fc.record({
  // Shuffled keys: what a parser builds has its own order.
  volumeUnit: fc.constantFrom('contracts' as const, 'dollars' as const),
  openInterest: nullable(decimalText),
  volume24h: nullable(decimalText),
  volume: nullable(decimalText),
  id: text,
  venue: fc.constantFrom('kalshi' as const, 'polymarket' as const),
  venueMarketId: text,
  symbol: text,
  title: fc.oneof(text, fc.constant('lone \ud800 surrogate "quoted" \\ \u0000 \u2028 é 🎲')),
  eventId: nullable(text),
  tokens: nullable(fc.record({ no: text, yes: text })),
  outcomes: fc.record({ no: text, yes: text }),
  status: fc.constantFrom('pending' as const, 'open' as const, 'halted' as const, 'closed' as const),
  result: nullable(text),
  closeTime: nullable(isoText),
  openTime: nullable(isoText),
  eventStartTime: nullable(isoText),
  priceBands: fc.array(fc.record({ step: decimalText, start: decimalText, end: decimalText }), {
    maxLength: 3
  }),
  minOrderSize: nullable(decimalText)
})

const size = fc.oneof(
  fc.integer({ min: 1, max: 5_000_000 }),
  fc.integer({ min: 1, max: 3_000 }).map((contracts) => contracts * 1_000_000),
  fc.maxSafeInteger().map((value) => (Math.abs(value) % 999_999_999_999_999) + 1)
)
const side = fc.array(fc.tuple(fc.integer({ min: 0, max: 10_000 }), size), { maxLength: 130 })
const clock = fc.oneof(
  fc.constant(Number.NaN),
  fc.integer({ min: 1_700_000_000_000, max: 1_900_000_000_000 }),
  fc.double({ min: 0, max: 2 ** 53, noNaN: true })
)

const book = fc.record({
  yes: side,
  no: side,
  reasons: fc.array(fc.constantFrom(...REASONS.map(([reason]) => reason)), { maxLength: 3 }),
  source: fc.constantFrom('websocket' as const, 'poll' as const),
  sequence: fc.oneof(fc.constant(Number.NaN), fc.nat(), fc.maxSafeInteger().map(Math.abs)),
  venueTimeMs: clock,
  receivedAtMs: clock,
  verifiedAtMs: clock,
  mismatches: fc.nat({ max: 2 ** 32 - 1 })
})

function setBook(
  store: SnapshotStore,
  { slot }: MarketRecord,
  given: typeof book extends fc.Arbitrary<infer B> ? B : never
) {
  const { books } = store
  books.arena.release(slot)
  for (const [price, resting] of given.yes) books.arena.setLevel(slot, YES, price, resting)
  for (const [price, resting] of given.no) books.arena.setLevel(slot, NO, price, resting)
  books.verdicts.reset(slot)
  books.setSource(slot, given.source)
  books.received(slot, given.receivedAtMs, given.venueTimeMs, given.sequence)
  books.verdicts.verified(slot, given.verifiedAtMs)
  books.verdicts.mismatches[slot] = given.mismatches
  books.verdicts.reasons[slot] = given.reasons.reduce((bits, reason) => bits | reasonBit(reason), 0)
  books.touch(slot)
}

/** Of what is copied into the room beside the rows, as pages are, or into a buffer of its own, as lines are. */
function fragmentText(fragments: Fragments, record: MarketRecord, isLine = false): string | null {
  const bytes = FRAGMENT_BYTES + 7
  const target = isLine ? Buffer.alloc(bytes) : fragments.room.subarray(1_000, 1_000 + bytes)
  target.fill(0xff)
  const end = fragments.copy(record.slot, target, 7)
  return end < 0 ? null : target.toString('utf8', 7, end)
}

t.test('a fragment is byte for byte what the schema’s serializer writes', async (t) => {
  const serialize = await schemaSerializer(t)
  const store = new SnapshotStore({ capacityMarkets: 4, capacityLevels: 4_096 })
  const fragments = new Fragments(store)
  let compared = 0
  fc.assert(
    fc.property(marketMeta, fc.array(book, { minLength: 1, maxLength: 3 }), (meta, books) => {
      const record = store.put(meta, '') as MarketRecord
      for (const given of books) {
        setBook(store, record, given)
        const written = fragmentText(fragments, record)
        if (written !== fragmentText(fragments, record, true)) return false
        if (written === null) continue
        compared++
        if (written !== serialize(getAggregate(store, record, 10))) return false
      }
      store.remove(meta.id)
      return true
    }),
    { numRuns: 300 }
  )
  t.ok(compared > 100, 'enough rows fitted their cell')
})

t.test('a streamed line is what the serializer writes, at every depth', async (t) => {
  const serialize = await schemaSerializer(t)
  const store = new SnapshotStore({ capacityMarkets: 4, capacityLevels: 4_096 })
  const fragments = new Fragments(store)
  await fc.assert(
    fc.asyncProperty(
      marketMeta,
      book,
      fc.oneof(fc.constant(10), fc.integer({ min: 0, max: 100 })),
      async (meta, given, depth) => {
        const record = store.put(meta, '') as MarketRecord
        setBook(store, record, given)
        const lines: Buffer[] = []
        for await (const slice of marketLines(store, fragments, { sort: 'id' }, depth)) lines.push(slice)
        const wanted = `${serialize(getAggregate(store, record, depth))}\n`
        store.remove(meta.id)
        return Buffer.concat(lines).toString() === wanted
      }
    ),
    { numRuns: 100 }
  )
})

t.test('a row longer than its cell has no fragment until it fits again', async (t) => {
  const store = new SnapshotStore({ capacityMarkets: 4, capacityLevels: 4_096 })
  const fragments = new Fragments(store)
  const short = market(1)
  const record = serve(store, short)
  t.type(fragmentText(fragments, record), 'string')
  for (const length of [FRAGMENT_BYTES - 1_500, FRAGMENT_BYTES * 2]) {
    store.put({ ...short, title: 'é'.repeat(length / 2) }, '')
    t.equal(fragmentText(fragments, record), null, `a title of ${length} bytes`)
  }
  store.put(short, '')
  t.match(JSON.parse(fragmentText(fragments, record) as string), { market: short })
})

t.test('a fragment follows its book, its metadata, and the market that takes its slot', async (t) => {
  const store = new SnapshotStore({ capacityMarkets: 1, capacityLevels: 1_024 })
  const fragments = new Fragments(store)
  const first = serve(store, market(1))
  fragmentText(fragments, first)

  store.books.arena.setLevel(first.slot, YES, 4_100, 1_000_000)
  store.books.touch(first.slot)
  t.match(JSON.parse(fragmentText(fragments, first) as string), {
    orderBook: { bids: [{ price: '0.41', size: '1' }] }
  })

  store.patch(first.id, { status: 'halted' })
  t.match(JSON.parse(fragmentText(fragments, first) as string), {
    market: { status: 'halted' },
    quotes: { usable: false },
    verdict: { state: 'halted', reason: 'venue_paused' }
  })

  store.remove(first.id)
  const second = serve(store, market(2))
  t.equal(second.slot, first.slot, 'the slot is used again')
  t.match(JSON.parse(fragmentText(fragments, second) as string), { id: 'kalshi:KXTEST-0002' })
})
