import type { FastifyInstance } from 'fastify'
import type { Test } from 'tap'
import type { Config } from '../../../schemas/config.ts'
import { build } from '../../helper.ts'
import { until } from './real-redis.ts'

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

/** Returns where the answers of two apps differ, byte for byte: the route, and its first field that is another. */
export async function differences(one: FastifyInstance, other: FastifyInstance): Promise<string[]> {
  const details = [...one.snapshotStore.records()].map(
    ({ id }) => `/v1/markets/${encodeURIComponent(id)}?depth=100`
  )
  const events = one.snapshotStore.eventIds().map((id) => `/v1/events/${encodeURIComponent(id)}`)
  const differ: string[] = []
  for (const url of [...ROUTES, ...details, ...events]) {
    const [a, b] = await Promise.all([one.inject(url), other.inject(url)])
    if (a.statusCode !== 200 || b.statusCode !== 200) differ.push(`${url}: ${a.statusCode}, ${b.statusCode}`)
    else if (!a.rawPayload.equals(b.rawPayload))
      differ.push(`${url} ${firstDifference(read(a.body), read(b.body))}`)
  }
  return differ
}

/** Resolves once an app answers what another does; throws with what it does not. */
export async function untilSame(one: FastifyInstance, other: FastifyInstance, what: string): Promise<void> {
  let differ: string[] = []
  await until(async () => {
    differ = await differences(one, other)
    return differ.length === 0
  }, what).catch(() => {
    throw new Error(`${what}: it differs at ${differ.slice(0, 5).join('; ')}`)
  })
}

/** One JSON value, or a line of JSON each. */
function read(body: string): unknown {
  return body.includes('\n')
    ? body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : JSON.parse(body)
}

function firstDifference(a: unknown, b: unknown, at = ''): string | null {
  if (Object.is(a, b)) return null
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null)
    return `${at}: ${JSON.stringify(a)}, ${JSON.stringify(b)}`
  for (const key of new Set([...Object.keys(a), ...Object.keys(b)])) {
    const found = firstDifference(a[key as never], b[key as never], `${at}/${key}`)
    if (found !== null) return found
  }
  return null
}
