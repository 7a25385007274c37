import type { Venue } from '../../schemas/common.ts'
import type { CachedBook, CachedMarket, CachedPrice } from './cache-values.ts'
import { decode } from './codec.ts'
import { cacheKey } from './keys.ts'
import type { RedisLink } from './redis.ts'

export interface CacheReaderStatus {
  hits: number
  misses: number
  failures: number
}

/** Reads the cache and counts what it found. Away, slow or empty is all the same to who asks: there is nothing. */
export class CacheReader {
  private readonly redis: Pick<RedisLink, 'call'>
  private readonly counts = { hits: 0, misses: 0, failures: 0 }

  constructor(redis: Pick<RedisLink, 'call'>) {
    this.redis = redis
  }

  /** Resolves to a market by its venue's own id; null when the cache has none. */
  getMarket(venue: Venue, id: string): Promise<CachedMarket | null> {
    return this.get(cacheKey.market(venue, id))
  }

  getBook(venue: Venue, id: string): Promise<CachedBook | null> {
    return this.get(cacheKey.book(venue, id))
  }

  getPrice(venue: Venue, id: string): Promise<CachedPrice | null> {
    return this.get(cacheKey.price(venue, id))
  }

  status(): CacheReaderStatus {
    return { ...this.counts }
  }

  private async get<Value>(key: string): Promise<Value | null> {
    try {
      const bytes = (await this.redis.call('GET', key)) as Buffer | null
      const value = bytes === null ? undefined : decode(bytes)
      if (value === undefined) this.counts.misses++
      else this.counts.hits++
      return (value as Value | undefined) ?? null
    } catch {
      this.counts.failures++
      return null
    }
  }
}
