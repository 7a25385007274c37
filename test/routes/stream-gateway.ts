import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Config } from '../../schemas/config.ts'
import { build, market, serve } from '../helper.ts'
import { disturb, randomFrom } from '../services/stream/world.ts'

/** A listening gateway that serves so many markets. */
export async function served(t: Test, markets: number, overrides: Partial<Config> = {}) {
  const app = await build(t, overrides)
  const ids = Array.from({ length: markets }, (_, n) => serve(app.snapshotStore, market(n)).id)
  const address = await app.listen({ host: '127.0.0.1', port: 0 })
  return { app, address, ids, store: app.snapshotStore }
}

/** Goes on changing books until it is told to stop; returns how to stop it. */
export function churn(
  { snapshotStore: store }: FastifyInstance,
  ids: readonly string[],
  perTurn: number
): () => void {
  const random = randomFrom(11)
  const timer = setInterval(() => {
    for (let n = 0; n < perTurn; n++) {
      const record = store.get(ids[Math.floor(random() * ids.length)] as string)
      if (record !== undefined) disturb(store, record.slot, random)
    }
  }, 1)
  return () => clearInterval(timer)
}

/** The last message of the one question that is asked. */
export async function lastSeq({ streamHub }: FastifyInstance): Promise<number> {
  for (let n = 0; n < 3; n++) await new Promise(setImmediate)
  const [topic] = streamHub.topics.all()
  return topic?.seq ?? 0
}
