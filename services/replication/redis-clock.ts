import type { RedisLink } from './redis.ts'

const MEASURE_EVERY_MS = 5_000

/** The clock of Redis, by which the entries of streams are dated: lag does not depend on how well hosts agree on the time. */
export class RedisClock {
  private readonly redis: Pick<RedisLink, 'call' | 'status'>
  private readonly steadyNow: () => number
  private aheadMs = Number.NaN
  private measuredAtMs = Number.NEGATIVE_INFINITY
  private connects = 0

  constructor(redis: Pick<RedisLink, 'call' | 'status'>, steadyNow: () => number) {
    this.redis = redis
    this.steadyNow = steadyNow
  }

  /** Epoch milliseconds by the clock of Redis, going on while it is away; NaN before the first measurement. */
  now(): number {
    return this.steadyNow() + this.aheadMs
  }

  /** Asks for the time now and then, and whenever the connection is a new one. */
  async measure(): Promise<void> {
    const { connects } = this.redis.status
    const startedMs = this.steadyNow()
    if (connects === this.connects && startedMs - this.measuredAtMs < MEASURE_EVERY_MS) return
    const [seconds, microseconds] = (await this.redis.call('TIME')) as [Buffer, Buffer]
    const endedMs = this.steadyNow()
    const redisMs = Number(seconds.toString()) * 1_000 + Number(microseconds.toString()) / 1_000
    this.aheadMs = redisMs - (startedMs + endedMs) / 2
    this.measuredAtMs = endedMs
    this.connects = connects
  }
}
