import { executionAsyncResource } from 'node:async_hooks'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { keptTicks } from '../../services/tick-shape.ts'

setFlagsFromString('--expose-gc')
setFlagsFromString('--allow-natives-syntax')
const collect = runInNewContext('gc') as () => void
const haveSameMap = new Function('a', 'b', 'return %HaveSameMap(a, b)') as (a: object, b: object) => boolean

/** Resolves to the object behind a tick. */
const tick = () => new Promise<object>((resolve) => process.nextTick(() => resolve(executionAsyncResource())))

t.test(
  'ticks are made in the shape that is kept, also after full collections at which none waited',
  async (t) => {
    await tick()
    const [kept] = keptTicks
    if (kept === undefined) return t.fail('nothing is kept')
    for (let i = 0; i < 3; i++) {
      await new Promise(setImmediate)
      collect()
      t.ok(haveSameMap(kept, await tick()))
    }
    t.notOk(haveSameMap(kept, { asyncId: 1 }), 'the question tells shapes apart')
  }
)
