import { answer } from '../harness/answer.ts'
import type { Flush } from './gateway.ts'
import { type ClientGroup, ClientPool } from './pool.ts'

/** What the process of all clients is asked. */
export type ClientsQuestion =
  | { ask: 'connect'; pool: string; port: number; path: string; groups: ClientGroup[] }
  | { ask: 'watch' | 'close'; pool: string }
  | { ask: 'read'; pool: string; flushes: Flush[] }
  | { ask: 'hold'; pool: string; group: number; isHeld: boolean }

const pools = new Map<string, ClientPool>()

answer(async (given) => {
  const question = given as unknown as ClientsQuestion
  if (question.ask === 'connect') {
    const pool = new ClientPool(question.groups)
    pools.set(question.pool, pool)
    await pool.connect(question.port, question.path)
    return null
  }
  const pool = pools.get(question.pool)
  if (pool === undefined) throw new Error(`nobody is connected as ${question.pool}`)
  if (question.ask === 'watch') pool.watch()
  if (question.ask === 'read') return pool.read(question.flushes)
  if (question.ask === 'hold') pool.hold(question.group, question.isHeld)
  if (question.ask === 'close') await pool.close()
  return null
})
