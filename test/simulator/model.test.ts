import t from 'tap'
import { bestPrice, isCrossed } from '../../simulator/model/book.ts'
import { priceText, sizeText } from '../../simulator/model/decimal.ts'
import type { Happening, SimMarket, World } from '../../simulator/model/types.ts'
import { createWorld, type WorldOptions } from '../../simulator/model/world.ts'

const START_MS = Date.UTC(2026, 10, 20, 12)

/** A world under a clock that moves only by hand. */
function worldAt(options: Partial<WorldOptions> = {}) {
  const clock = { nowMs: START_MS }
  const world = createWorld({
    seed: 7,
    marketsPerVenue: 60,
    sharedShare: 0.4,
    now: () => clock.nowMs,
    openDelayMs: 0,
    ...options
  })
  return { world, clock }
}

/** A text of everything that a happening tells. */
function story(happening: Happening): string {
  const { market, ...rest } = happening
  return `${market.id} ${JSON.stringify(rest)}`
}

function tell(world: World, clock: { nowMs: number }, steps: number): string[] {
  return Array.from({ length: steps }, () => {
    clock.nowMs += 3
    return story(world.step())
  })
}

t.test('the same seed and clock give the same markets and the same happenings', async (t) => {
  const [first, second, other] = [worldAt(), worldAt(), worldAt({ seed: 8 })]
  const names = (world: World) =>
    world.markets('polymarket').map(({ id, tokens, title }) => [id, tokens, title])
  t.same(names(first.world), names(second.world))
  t.notSame(names(first.world), names(other.world))
  t.same(tell(first.world, first.clock, 2_000), tell(second.world, second.clock, 2_000))
})

t.test('lists as many markets as asked, with ids of the venues and twins on both', async (t) => {
  const { world } = worldAt({ marketsPerVenue: 300 })
  const [kalshi, polymarket] = [world.markets('kalshi'), world.markets('polymarket')]
  t.equal(kalshi.length, 300)
  t.equal(polymarket.length, 300)
  t.ok(kalshi.every(({ id }) => /^[A-Z0-9.-]+$/.test(id)))
  t.ok(polymarket.every(({ id }) => /^0x([0-9a-f]{64}|[0-9a-f]{62})$/.test(id)))
  t.ok(polymarket.every(({ tokens }) => tokens.every((token) => /^[1-9]\d{74,77}$/.test(token))))
  t.equal(new Set(polymarket.flatMap(({ tokens }) => tokens)).size, 600, 'no token twice')
  t.equal(new Set(polymarket.map(({ slug }) => slug)).size, 300, 'no slug twice')

  const twins = kalshi.filter(({ twinOf }) => twinOf !== null)
  t.ok(twins.length >= 90, `${twins.length} twins`)
  for (const twin of twins) {
    const other = world.market('polymarket', twin.twinOf ?? '')
    if (other === undefined) return t.fail(`${twin.id} has no partner`)
    t.equal(other.twinOf, twin.id)
    t.not(other.title, twin.title)
    t.ok(Math.abs(middle(other) - middle(twin)) < 1_500, `${twin.id}: ${middle(twin)}, ${middle(other)}`)
  }
})

t.test(
  '20,000 happenings cross no book, and every change is on the grid and tells what the book holds',
  async (t) => {
    const { world, clock } = worldAt()
    const kinds = new Map<string, number>()
    const levelsBefore = new Map<string, number>()
    for (const venue of ['kalshi', 'polymarket'] as const) {
      for (const market of world.markets(venue)) noteLevels(levelsBefore, market)
    }
    const problems: string[] = []
    for (let step = 0; step < 20_000; step++) {
      clock.nowMs += 1
      const happening = world.step()
      const { market } = happening
      kinds.set(happening.kind, (kinds.get(happening.kind) ?? 0) + 1)
      if (isCrossed(market.book)) problems.push(`crossed: ${story(happening)}`)
      const told =
        happening.kind === 'levels'
          ? happening.changes
          : happening.kind === 'match'
            ? [happening.remainder, ...happening.consumed]
            : []
      for (const change of told) {
        if (change === null) continue
        const key = `${market.id} ${change.side} ${change.priceE4}`
        if ((levelsBefore.get(key) ?? 0) + change.changeE6 !== change.sizeE6)
          problems.push(`wrong sum: ${key}`)
        levelsBefore.set(key, change.sizeE6)
        if (change.priceE4 % market.tickE4 !== 0) problems.push(`off the grid: ${key}`)
        if (change.priceE4 < market.tickE4 || change.priceE4 > 10_000 - market.tickE4)
          problems.push(`out: ${key}`)
        if (market.venue === 'kalshi' && change.sizeE6 % 10_000 !== 0) problems.push(`below the lot: ${key}`)
      }
      if (market.book.bids.size > 61 || market.book.asks.size > 61) problems.push(`too deep: ${market.id}`)
    }
    t.same(problems.slice(0, 5), [])
    const held = new Map<string, number>()
    for (const venue of ['kalshi', 'polymarket'] as const) {
      for (const market of world.markets(venue)) noteLevels(held, market)
    }
    const expected = [...levelsBefore].filter(([, size]) => size > 0).sort()
    t.same([...held].sort(), expected, 'the changes told add up to the books')
    t.ok((kinds.get('match') ?? 0) > 500, `matches: ${kinds.get('match')}`)
    t.ok((kinds.get('levels') ?? 0) > 10_000)
  }
)

t.test('a market lives: listed, opened, paused, resumed, closed, settled, forgotten', async (t) => {
  const { world } = worldAt({ marketsPerVenue: 3, retainSettled: 2 })
  const kinds: string[] = []
  world.onHappening(({ kind }) => kinds.push(kind))
  const market = world.list('kalshi')
  t.same(kinds, ['listed', 'opened', 'levels'])
  t.ok(market.book.bids.size + market.book.asks.size > 5, 'opens with a book')
  world.pause(market)
  t.throws(() => world.pause(market), /is paused/)
  world.resume(market)
  t.equal(market.book.bids.size, 0, 'Kalshi cancels what rested when trading resumes')
  world.settle(market, 'yes')
  t.same(kinds.slice(3), ['paused', 'levels', 'resumed', 'closed', 'determined', 'settled'])
  t.match(market, { status: 'settled', result: 'yes' })

  const polymarket = world.list('polymarket')
  t.equal(world.token(polymarket.tokens[1])?.outcome, 1)
  world.settle(polymarket, 'no')
  for (const one of world.markets('polymarket').filter(({ status }) => status === 'active')) {
    world.settle(one, 'no')
  }
  t.equal(world.market('polymarket', polymarket.id), undefined, 'the oldest settled market is forgotten')
  t.equal(world.token(polymarket.tokens[0]), undefined)
  t.equal(world.markets('polymarket').length, 2)
  t.throws(() => world.step('polymarket'), /no market is active/)
})

t.test('a coarser tick moves resting sizes away from the spread', async (t) => {
  const { world } = worldAt()
  const market = world.markets('kalshi').find(({ tickE4 }) => tickE4 === 10)
  if (market === undefined) return t.fail('no market with a fine tick')
  const kinds: string[] = []
  world.onHappening(({ kind }) => kinds.push(kind))
  world.changeTick(market, 100)
  t.same(kinds, ['levels', 'tick_changed'])
  t.ok([...market.book.bids.keys(), ...market.book.asks.keys()].every((price) => price % 100 === 0))
  t.notOk(isCrossed(market.book))
  t.throws(() => world.changeTick(market, 7), /must divide/)
})

t.test('the timer pays what it owes at the rate, and churn lists and closes', async (t) => {
  const world = createWorld({
    seed: 3,
    marketsPerVenue: 20,
    sharedShare: 0.5,
    now: Date.now,
    churnMs: 50,
    openDelayMs: 1
  })
  const kinds = new Set<string>()
  let count = 0
  const startedMs = performance.now()
  const seen = new Promise<void>((resolve) => {
    world.onHappening(({ kind }) => {
      kinds.add(kind)
      count += 1
      if (count > 2_000 && ['listed', 'opened', 'close_moved', 'closed'].every((one) => kinds.has(one)))
        resolve()
    })
  })
  world.setRate(3_000)
  world.start()
  t.teardown(() => world.stop())
  await seen
  const perSecond = count / ((performance.now() - startedMs) / 1_000)
  t.ok(perSecond > 1_000, `${Math.round(perSecond)} a second`)
  world.stop()
  t.notOk(world.running)
})

t.test('decimal text is canonical', async (t) => {
  t.same([0, 1, 10, 4_200, 9_990, 10_000].map(priceText), ['0', '0.0001', '0.001', '0.42', '0.999', '1'])
  t.same([1, 10_000, 13_500_000, 5_852_530_000].map(sizeText), ['0.000001', '0.01', '13.5', '5852.53'])
  t.throws(() => priceText(10_001), /outside/)
})

function noteLevels(into: Map<string, number>, market: SimMarket) {
  for (const [price, size] of market.book.bids) into.set(`${market.id} bid ${price}`, size)
  for (const [price, size] of market.book.asks) into.set(`${market.id} ask ${price}`, size)
}

function middle(market: SimMarket): number {
  return ((bestPrice(market.book, 'bid') ?? 0) + (bestPrice(market.book, 'ask') ?? 10_000)) / 2
}
