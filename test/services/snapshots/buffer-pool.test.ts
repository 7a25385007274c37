import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import t from 'tap'
import { BufferPool, type LentBuffer } from '../../../services/snapshots/buffer-pool.ts'

t.test('two pages that are on their way have two buffers', async (t) => {
  const pool = new BufferPool(Buffer.alloc(1 << 20))
  const one = pool.take(100_000)
  const two = pool.take(100_000)
  t.not(one, two)
  t.ok(one.buffer.length >= 100_000)
  one.buffer.fill(1)
  two.buffer.fill(2)
  t.notOk(one.buffer.includes(2), 'which share no byte')
  one.readers++
  pool.give(one)
  t.not(pool.take(70_000), one, 'somebody still reads it')
  pool.give(one)
  t.equal(pool.take(70_000), one)
})

t.test('while the share of a class is lent, buffers are lent that are not kept', async (t) => {
  const room = Buffer.alloc(6 << 17)
  const pool = new BufferPool(room)
  const isOfRoom = ({ buffer }: LentBuffer) => buffer.buffer === room.buffer
  const small = [pool.take(1), pool.take(1)]
  t.ok(small.every(isOfRoom))
  const beside = pool.take(1)
  t.notOk(isOfRoom(beside))
  t.ok(isOfRoom(pool.take(100_000)), 'the share of another is its own')
  pool.give(beside)
  t.not(pool.take(1), beside)
  for (const lent of small) pool.give(lent)
  t.ok(isOfRoom(pool.take(1)))
  const huge = pool.take(10 << 20)
  t.ok(huge.buffer.length >= 10 << 20)
  t.notOk(isOfRoom(huge))
  pool.give(huge)
})

t.test(
  'a piece of the room that nobody gives back returns once it is collected',
  { timeout: 30_000 },
  async (t) => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const room = Buffer.alloc(6 << 16)
    const pool = new BufferPool(room)
    pool.take(1)
    t.not(pool.take(1).buffer.buffer, room.buffer, 'all of it is lent')
    while (pool.take(1).buffer.buffer !== room.buffer) {
      collect()
      await setImmediate()
    }
  }
)
