import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import type * as told from '../../client/src/messages.gen.ts'
import type { StreamMessage as Heard } from '../../client/src/messages.ts'
import type { Health } from '../../schemas/health.ts'
import type { StreamMessage as Said } from '../../schemas/stream.ts'
import type { StreamSubscribe } from '../../schemas/stream-commands.ts'
import type { StreamBook, StreamDepth, StreamTicker, StreamTrade } from '../../schemas/stream-payloads.ts'

/** The type `true` where each may stand for the other. */
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false

/** Fails to compile when the client's types are not those of the schemas. */
const same: Record<string, true> = {
  message: true satisfies Same<Said, Heard>,
  subscribe: true satisfies Same<StreamSubscribe, told.StreamSubscribe>,
  book: true satisfies Same<StreamBook, told.StreamBook>,
  depth: true satisfies Same<StreamDepth, told.StreamDepth>,
  ticker: true satisfies Same<StreamTicker, told.StreamTicker>,
  trade: true satisfies Same<StreamTrade, told.StreamTrade>,
  health: true satisfies Same<Health, told.Health>
}

t.test('the client’s types are those of the schemas, and its file of them is current', async (t) => {
  t.ok(Object.values(same).every(Boolean))
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const arguments_ = ['--import', 'tsx', 'scripts/client.ts', '--check']
  await t.resolves(promisify(execFile)(process.execPath, arguments_, { cwd: root }))
})
