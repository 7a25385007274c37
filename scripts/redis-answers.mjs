// Ends with 0 if the Redis of a URL lets us in and answers, else with 1.
import { Redis } from 'ioredis'

let redis
try {
  redis = new Redis(process.argv[2], { lazyConnect: true, retryStrategy: () => null, connectTimeout: 5_000 })
  redis.on('error', () => {})
  await redis.connect()
  await redis.ping()
} catch {
  process.exitCode = 1
} finally {
  redis?.disconnect()
}
