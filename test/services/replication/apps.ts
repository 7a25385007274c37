import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Config } from '../../../schemas/config.ts'
import { build } from '../../helper.ts'

/** Returns a listening app of a role; its store is filled by the test, since it has no venue. */
export async function startRole(
  t: Test,
  role: Config['ROLE'],
  settings: Partial<Config> & Pick<Config, 'REDIS_URL' | 'CLUSTER_NAME'>
): Promise<FastifyInstance> {
  const app = await build(t, { ROLE: role, SHARDS: 8, LEASE_MS: 1_000, ...settings })
  await app.listen({ host: '127.0.0.1', port: 0 })
  return app
}

/** What both must answer alike. */
export const ROUTES = [
  '/v1/markets?pageSize=100',
  '/v1/markets?pageSize=100&depth=3&sort=-volume24h',
  '/v1/markets?state=live&pageSize=100',
  '/v1/markets/index',
  '/v1/markets.ndjson',
  '/v1/markets.ndjson?depth=100',
  '/v1/events?pageSize=100',
  '/v1/schedule?pageSize=100'
]

/** Returns the routes whose bytes differ between two apps, with those of every market and event. */
export async function differences(one: FastifyInstance, other: FastifyInstance): Promise<string[]> {
  const details = [...one.snapshotStore.records()].map(
    ({ id }) => `/v1/markets/${encodeURIComponent(id)}?depth=100`
  )
  const events = one.snapshotStore.eventIds().map((id) => `/v1/events/${encodeURIComponent(id)}`)
  const differ: string[] = []
  for (const url of [...ROUTES, ...details, ...events]) {
    const [a, b] = await Promise.all([one.inject(url), other.inject(url)])
    if (a.statusCode !== 200 || b.statusCode !== 200 || !a.rawPayload.equals(b.rawPayload)) differ.push(url)
  }
  return differ
}
