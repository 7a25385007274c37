import t from 'tap'
import { UpstreamUnavailableError } from '../../../services/errors.ts'
import { Breaker, type BreakerOptions } from '../../../services/venue/breaker.ts'
import { DialPacer } from '../../../services/venue/dial-pacer.ts'
import { TokenBucket } from '../../../services/venue/token-bucket.ts'

/** A breaker that opens after three failures, for a second of a clock that the test turns. */
function breakerOf(options: Partial<BreakerOptions> = {}) {
  const clock = { nowMs: 0 }
  const changes: string[] = []
  const breaker = new Breaker({
    name: 'host',
    failures: 3,
    openMs: 1_000,
    now: () => 5_000,
    steadyNow: () => clock.nowMs,
    onChange: (state) => changes.push(state),
    ...options
  })
  const ok = () => breaker.run(async () => 'answer')
  const fail = (why = 'down') => breaker.run(() => Promise.reject(new Error(why))).catch((error) => error)
  return { breaker, clock, changes, ok, fail }
}

t.test('opens after so many failures in a row, and fails fast with the last reason', async (t) => {
  const { breaker, ok, fail } = breakerOf()
  await fail()
  await fail()
  t.equal(await ok(), 'answer', 'a success begins the count anew')
  await fail()
  await fail()
  t.equal(breaker.state, 'closed')
  t.equal((await fail('no route')).message, 'no route')
  t.equal(breaker.state, 'open')
  let asked = 0
  const error = await breaker.run(async () => asked++).catch((reason) => reason)
  t.ok(error instanceof UpstreamUnavailableError)
  t.match(error, { code: 'UPSTREAM_UNAVAILABLE', retryInMs: 1_000, retryable: true })
  t.match(error.message, /no route/)
  t.equal(asked, 0, 'nothing was tried')
  t.same(breaker.status(), {
    state: 'open',
    opened: 1,
    successes: 1,
    failures: 5,
    rejected: 1,
    changedAtMs: 5_000
  })
})

t.test('lets one trial through after its time, which closes it or opens it again', async (t) => {
  const { breaker, clock, changes, ok, fail } = breakerOf()
  for (let i = 0; i < 3; i++) await fail()
  clock.nowMs = 999
  await t.rejects(ok(), { code: 'UPSTREAM_UNAVAILABLE' }, 'too early')
  clock.nowMs = 1_000
  let answer = (_: string) => {}
  const trial = breaker.run(
    () =>
      new Promise<string>((resolve) => {
        answer = resolve
      })
  )
  t.equal(breaker.state, 'half_open')
  await t.rejects(ok(), { code: 'UPSTREAM_UNAVAILABLE' }, 'one trial, not two')
  answer('back')
  t.equal(await trial, 'back')
  t.equal(breaker.state, 'closed')
  for (let i = 0; i < 3; i++) await fail()
  clock.nowMs = 2_000
  await fail()
  t.equal(breaker.state, 'open', 'one failure of the trial is enough')
  t.equal(breaker.waitMs, 1_000)
  t.strictSame(changes, ['open', 'half_open', 'closed', 'open', 'half_open', 'open'])
})

t.test('what is an answer is no failure, whatever it says', async (t) => {
  const { breaker, ok, fail } = breakerOf({ isFailure: (error) => (error as Error).message !== '404' })
  for (let i = 0; i < 10; i++) t.equal((await fail('404')).message, '404')
  t.match(breaker.status(), { state: 'closed', failures: 0, successes: 10 })
  await fail()
  await fail()
  await fail('404')
  await fail()
  t.equal(breaker.state, 'closed', 'it also ends a row of failures')
  t.equal(await ok(), 'answer')
})

t.test('a wall clock that jumps back does not keep it open', async (t) => {
  let wallMs = Date.now()
  const { now } = Date
  Date.now = () => wallMs
  t.teardown(() => {
    Date.now = now
  })
  const { breaker, clock, ok, fail } = breakerOf()
  for (let i = 0; i < 3; i++) await fail()
  wallMs -= 3_600_000
  clock.nowMs = 1_000
  t.equal(await ok(), 'answer')
  t.equal(breaker.state, 'closed')
})

t.test('the pace halves once for all bad answers of a moment, and comes back step by step', async (t) => {
  let nowMs = 0
  const bucket = new TokenBucket({ ratePerSecond: 100, capacity: 100, now: () => nowMs })
  for (let i = 0; i < 5; i++) bucket.slow()
  t.equal(bucket.pace.tokensPerSecond, 50)
  for (let i = 0; i < 20; i++) {
    nowMs += 1_000
    bucket.slow()
  }
  t.equal(bucket.pace.tokensPerSecond, 100 / 16, 'never slower than a sixteenth')
  bucket.quicken()
  t.equal(bucket.pace.tokensPerSecond, 100 / 16 + 1)
  for (let i = 0; i < 1_000; i++) bucket.quicken()
  t.same(bucket.pace, { tokensPerSecond: 100, tokensPerSecondMax: 100 })

  await bucket.take(100)
  nowMs += 1_000
  await bucket.take(100)
  bucket.slow()
  nowMs += 1_000
  await bucket.take(50)
  const controller = new AbortController()
  const more = bucket.take(1, controller.signal)
  controller.abort(new Error('none left'))
  await t.rejects(more, { message: 'none left' }, 'a second brought half of what it did')
})

t.test('forty connections that are lost together are dialled five at once and five a second', async (t) => {
  let nowMs = 0
  const pacer = new DialPacer({ dialsPerSecond: 5, steadyNow: () => nowMs })
  const dialledAtMs: number[] = []
  const turns = Array.from({ length: 40 }, () =>
    pacer.turn(new AbortController().signal).then(() => dialledAtMs.push(nowMs))
  )
  while (dialledAtMs.length < 40) {
    await new Promise((resolve) => setTimeout(resolve, 1))
    nowMs += 100
  }
  await Promise.all(turns)
  const within = (ms: number) => dialledAtMs.filter((at) => at <= ms).length
  t.equal(within(0), 5)
  t.ok(within(2_000) <= 15, `${within(2_000)} in 2 s`)
  t.ok(within(4_000) <= 25, `${within(4_000)} in 4 s`)
})
