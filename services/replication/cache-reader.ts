import type { Venue } from '../../schemas/common.ts'
import type { MarketDetail } from '../../schemas/market.ts'
import { summary } from '../snapshots/aggregate.ts'
import type { CachedBook, CachedMarket, CachedPrice } from './cache-values.ts'
import { decode } from './codec.ts'
import { cacheKey } from './keys.ts'
import type { RedisLink } from './redis.ts'

export interface CacheReaderStatus {
  hits: number
  misses: number
  failures: number
}

/** Reads markets out of the cache and counts what it found. Away, slow or empty is all the same to who asks. */
export class CacheReader {
  private readonly redis: Pick<RedisLink, 'call'>
  private readonly counts = { hits: 0, misses: 0, failures: 0 }

  constructor(redis: Pick<RedisLink, 'call'>) {
    this.redis = redis
  }

  /**
   * Resolves to a market as the cache has it, with at most `depth` levels a side; null when it is not there whole. How it is
   * now nobody here knows: what was live is `stale`, with the times that it had.
   */
  async getDetail(id: string, depth: number): Promise<MarketDetail | null> {
    const colon = id.indexOf(':')
    const [venue, venueMarketId] = [id.slice(0, colon) as Venue, id.slice(colon + 1)]
    const keys = [cacheKey.market, cacheKey.book, cacheKey.price].map((key) => key(venue, venueMarketId))
    try {
      // In one question, so that they are of one write.
      const found = (await this.redis.call('MGET', ...keys)) as (Buffer | null)[]
      const values = found.map((bytes) => (bytes === null ? undefined : decode(bytes)))
      if (values.includes(undefined)) {
        this.counts.misses++
        return null
      }
      this.counts.hits++
      return detailOf(values as [CachedMarket, CachedBook, CachedPrice], depth)
    } catch {
      this.counts.failures++
      return null
    }
  }

  status(): CacheReaderStatus {
    return { ...this.counts }
  }
}

function detailOf(
  [{ market, rules }, { id, orderBook, verdict, lastUpdatedMs }, { quotes }]: [
    CachedMarket,
    CachedBook,
    CachedPrice
  ],
  depth: number
): MarketDetail {
  return {
    id,
    market,
    orderBook: { bids: orderBook.bids.slice(0, depth), asks: orderBook.asks.slice(0, depth) },
    quotes: { ...quotes, usable: false },
    summary: { yes: summary(quotes.yes, market.volume), no: summary(quotes.no, market.volume) },
    verdict: verdict.state === 'live' ? { ...verdict, state: 'stale', reason: 'replica_lagging' } : verdict,
    lastUpdatedMs,
    rules
  }
}
