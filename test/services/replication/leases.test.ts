import t, { type Test } from 'tap'
import { RedisUnavailableError } from '../../../services/errors.ts'
import { clusterKeys } from '../../../services/replication/keys.ts'
import type { Lease } from '../../../services/replication/lease.ts'
import { RedisLink } from '../../../services/replication/redis.ts'
import { FENCED_WRITE, RELEASE } from '../../../services/replication/scripts.ts'
import { ShardLeases, type ShardLeasesOptions } from '../../../services/replication/shard-leases.ts'
import { inspector, NO_REDIS, NO_REDIS_SERVER, OwnRedis, ownCluster, REDIS_URL, until } from './real-redis.ts'

const SHARDS = 16
const LEASE_MS = 1_000
const silent = { info: () => {}, warn: () => {} }

interface Member {
  leases: ShardLeases
  redis: RedisLink
  held: Map<number, Lease>
  /** Ends without a word, as a killed process does. */
  die: () => Promise<void>
}

type Run = RedisLink['run']

function join(
  t: Test,
  url: string,
  cluster: string,
  options: Partial<ShardLeasesOptions> = {},
  through: (run: Run) => Run = (run) => run
): Member {
  const redis = new RedisLink({ url, name: 'test', log: silent, commandTimeoutMs: 500 })
  const held = new Map<number, Lease>()
  const run = through((call) => redis.run(call))
  const leases = new ShardLeases({
    redis: {
      run,
      get isReady() {
        return redis.isReady
      },
      get status() {
        return redis.status
      }
    },
    keys: clusterKeys(cluster, SHARDS),
    shards: SHARDS,
    leaseMs: LEASE_MS,
    takesPart: () => true,
    isPrepared: () => true,
    onTaken: (lease) => held.set(lease.shard, lease),
    onLost: ({ shard }) => held.delete(shard),
    onShares: () => {},
    log: silent,
    ...options
  })
  redis.start()
  leases.start()
  let isGone = false
  const end = async (how: () => Promise<void>) => {
    if (isGone) return
    isGone = true
    await how()
  }
  t.teardown(() =>
    end(async () => {
      await leases.stop()
      await redis.stop()
    })
  )
  const die = () =>
    end(async () => {
      await redis.stop()
      await leases.stop()
    })
  return { leases, redis, held, die }
}

t.test(
  'members share all shards, and one that dies is followed within two leases',
  { skip: NO_REDIS },
  async (t) => {
    const cluster = ownCluster()
    const redis = inspector(t, REDIS_URL, cluster)
    const keys = clusterKeys(cluster, SHARDS)
    const one = join(t, REDIS_URL, cluster)
    await until(() => one.held.size === SHARDS, 'one has all')
    const epochs = new Map([...one.held].map(([shard, { epoch }]) => [shard, epoch]))

    const other = join(t, REDIS_URL, cluster)
    let twice = 0
    const watching = setInterval(() => {
      for (const shard of one.held.keys()) if (other.held.has(shard)) twice++
    }, 1)
    await until(() => other.held.size > 0 && one.held.size + other.held.size === SHARDS, 'they share')
    t.equal(one.held.size, one.leases.status().share)
    t.equal(other.held.size, other.leases.status().share)
    t.ok(one.held.size >= 3 && other.held.size >= 3, `fair: ${one.held.size} and ${other.held.size}`)
    for (const [shard, { epoch }] of other.held) t.ok(epoch > (epochs.get(shard) ?? 0), 'a newer epoch')

    t.comment('a writer that lost its lease changes nothing, whatever it believes')
    const [shard = -1, { text } = { text: '' }] = [...other.held][0] ?? []
    const stale = `${epochs.get(shard)} ${one.leases.member}`
    const write = (lease: string) => ({
      script: FENCED_WRITE,
      keys: [keys.lease(shard)],
      args: [lease, 'x', keys.changes(shard), 100, 'entry']
    })
    t.equal(await one.redis.run(write(stale)), 0)
    t.equal(await redis.xlen(keys.changes(shard)), 0)
    t.type(await one.redis.run(write(text)), Array)
    t.equal(await redis.xlen(keys.changes(shard)), 1)

    const diedAtMs = performance.now()
    await other.die()
    await until(() => one.held.size === SHARDS, 'one has all again')
    const tookMs = Math.round(performance.now() - diedAtMs)
    t.ok(tookMs < 2 * LEASE_MS + 500, `taken over after ${tookMs} ms`)
    clearInterval(watching)
    t.equal(twice, 0, 'no shard had two writers')

    await one.leases.stop()
    const left = await Promise.all(Array.from({ length: SHARDS }, (_, one) => redis.exists(keys.lease(one))))
    t.strictSame(new Set(left), new Set([0]), 'who goes gives everything back')
    t.equal(await redis.zcard(keys.members), 0)
  }
)

t.test('a newcomer gets nothing before it is prepared', { skip: NO_REDIS }, async (t) => {
  const cluster = ownCluster()
  inspector(t, REDIS_URL, cluster)
  const one = join(t, REDIS_URL, cluster)
  await until(() => one.held.size === SHARDS, 'one has all')
  let isPrepared = false
  const other = join(t, REDIS_URL, cluster, { isPrepared: () => isPrepared })
  await until(() => one.leases.status().members === 2, 'one knows of it')
  const beforeMs = performance.now()
  await until(() => performance.now() - beforeMs > 2 * LEASE_MS, 'two leases have passed')
  t.equal(one.held.size, SHARDS)
  isPrepared = true
  await until(() => other.held.size > 0 && one.held.size + other.held.size === SHARDS, 'they share')
})

t.test(
  'who cannot renew stops before the lease can expire, and takes newer ones later',
  { skip: NO_REDIS_SERVER },
  async (t) => {
    const server = await OwnRedis.start(t)
    const one = join(t, server.url, 'frozen')
    await until(() => one.held.size === SHARDS, 'one has all')
    const before = Math.max(...[...one.held.values()].map(({ epoch }) => epoch))
    const frozenAtMs = performance.now()
    server.signal('SIGSTOP')
    await until(() => one.held.size === 0, 'everything is given up')
    t.ok(performance.now() - frozenAtMs < LEASE_MS, 'while the lease still held')
    server.signal('SIGCONT')
    await until(() => one.held.size === SHARDS, 'everything is taken anew')
    t.ok(Math.min(...[...one.held.values()].map(({ epoch }) => epoch)) > before)

    t.comment('Redis loses all that it held')
    const other = join(t, server.url, 'frozen')
    await until(() => other.held.size > 0 && one.held.size + other.held.size === SHARDS, 'they share')
    const last = Math.max(...[...one.held.values(), ...other.held.values()].map(({ epoch }) => epoch))
    const shares = [one.held.size, other.held.size]
    await server.kill()
    await until(() => one.held.size + other.held.size === 0, 'nobody writes')
    await server.run()
    await until(() => one.held.size + other.held.size === SHARDS, 'all is written again')
    t.strictSame([one.held.size, other.held.size], shares, 'by whom it was before')
    const epochs = [...one.held.values(), ...other.held.values()].map(({ epoch }) => epoch)
    t.ok(Math.min(...epochs) > last, 'in epochs that went on growing')
  }
)

t.test(
  'a shutdown waits for no release that fails or is never answered, and nothing is written after it',
  { skip: NO_REDIS },
  async (t) => {
    const never = new Promise<never>(() => {})
    const ways: Record<string, (run: Run) => Run> = {
      'releases fail': (run) => (call) =>
        call.script === RELEASE ? Promise.reject(new RedisUnavailableError('it is away')) : run(call),
      'releases are not answered': (run) => (call) => (call.script === RELEASE ? never : run(call)),
      'nothing is answered any more': (run) => (call) => {
        if (isSilent) asked++
        return isSilent ? never : run(call)
      }
    }
    let isSilent = false
    let asked = 0
    for (const [way, through] of Object.entries(ways)) {
      t.comment(way)
      const cluster = ownCluster()
      inspector(t, REDIS_URL, cluster)
      const one = join(t, REDIS_URL, cluster, {}, through)
      await until(() => one.held.size === SHARDS, 'it has all')
      if (way === 'nothing is answered any more') {
        isSilent = true
        await until(() => asked > 0, 'a beat is under way')
      }
      const atMs = performance.now()
      await one.leases.stop()
      t.ok(performance.now() - atMs < 2_000, 'it ends')
      t.equal(one.held.size, 0, 'no shard is written here')
      t.equal(one.leases.status().held, 0, 'nor believed to be')
      isSilent = false
      const other = join(t, REDIS_URL, cluster)
      await until(() => other.held.size === SHARDS, 'another has all once the leases have expired')
    }
  }
)

t.test(
  'what was handed over is neither written nor read here any more, whether Redis heard of it or not',
  { skip: NO_REDIS },
  async (t) => {
    const cluster = ownCluster()
    inspector(t, REDIS_URL, cluster)
    const every = Array.from({ length: SHARDS }, (_, shard) => shard)
    let failed = 0
    /** What was read when that was said to be another question. */
    let said: boolean[] = []
    const one = join(
      t,
      REDIS_URL,
      cluster,
      {
        onShares: () => {
          said = every.map((shard) => one.leases.reads(shard))
        }
      },
      (run) => (call) => {
        if (call.script !== RELEASE) return run(call)
        failed++
        return Promise.reject(new RedisUnavailableError('it is away'))
      }
    )
    await until(() => one.held.size === SHARDS, 'one has all')
    const other = join(t, REDIS_URL, cluster)
    await until(() => failed > 0, 'a release has failed')
    t.equal(one.held.size, one.leases.status().held)
    t.equal(one.held.size, SHARDS - failed)
    await until(() => other.held.size > 0 && one.held.size + other.held.size === SHARDS, 'they share')
    t.strictSame(
      said,
      every.map((shard) => one.held.has(shard))
    )
  }
)
