import t from 'tap'
import { MemoryWatch, WARM_MS, WINDOW_MS } from '../../faults/soak/memory.ts'

const MB = 1_000_000
const LENGTH_MS = 600_000

/** A load that is looked at every two seconds. */
async function watched(rss: (atMs: number) => number, lengthMs = LENGTH_MS) {
  const watch = new MemoryWatch(lengthMs)
  const collectedAtMs: number[] = []
  for (let atMs = 2_000; atMs <= lengthMs; atMs += 2_000) {
    const collect = async () => {
      collectedAtMs.push(atMs)
      return 40 * MB
    }
    await watch.look(atMs, rss(atMs), collect)
  }
  return { watch, collectedAtMs }
}

t.test('a single look that stands out, up or down, is no growth', async (t) => {
  const { watch } = await watched((atMs) =>
    atMs === WARM_MS ? 100 * MB : atMs === LENGTH_MS ? 400 * MB : 200 * MB
  )
  t.same(watch.growth(40 * MB), {
    warm: { rss: 200 * MB, heapUsed: 40 * MB },
    end: { rss: 200 * MB, heapUsed: 40 * MB },
    grown: { rss: 0, heapUsed: 0 }
  })
})

t.test('a leak shows, in the heap or outside of it; what grew before the two minutes does not', async (t) => {
  const { watch } = await watched((atMs) => (atMs < WARM_MS ? 50 : 200 + atMs / 10_000) * MB)
  const { grown } = watch.growth(50 * MB) ?? { grown: { rss: 0, heapUsed: 0 } }
  t.ok(Math.abs(grown.rss - 42 / 215) < 0.001, `${grown.rss}`)
  t.equal(grown.heapUsed, 0.25)
})

t.test('garbage is collected once, when the first of the two minutes is over', async (t) => {
  const { collectedAtMs } = await watched(() => 200 * MB)
  t.same(collectedAtMs, [WARM_MS + WINDOW_MS])
})

t.test(
  'a short run says nothing; one without looks in a minute does not pass for one that stayed',
  async (t) => {
    const short = await watched(() => MB, 200_000)
    t.equal(short.watch.growth(40 * MB), null)
    const watch = new MemoryWatch(LENGTH_MS)
    await watch.look(400_000, 200 * MB, async () => 40 * MB)
    t.ok(Number.isNaN(watch.growth(40 * MB)?.grown.rss))
  }
)
