import { VenueRestError } from '../errors.ts'
import { Breaker, type BreakerLimits } from '../venue/breaker.ts'
import type { RestStatus } from '../venue/port.ts'
import { isOutage, RestClient } from '../venue/rest-client.ts'
import { restStatus } from '../venue/rest-status.ts'
import { TokenBucket } from '../venue/token-bucket.ts'
import { type ParsedBook, parseRestBook } from './parse.ts'
import { type ParsedPage, parsePage } from './parse-market.ts'
import { CLOB_PATHS, GAMMA_PATHS } from './urls.ts'

export interface PolymarketRestOptions {
  gammaBase: string
  clobBase: string
  breaker?: BreakerLimits
  random?: () => number
  /** For one attempt. */
  timeoutMs?: number
}

/** Books asked for in one call. The venue allows 500, or as many as its limit on bytes lets through. */
export const BOOKS_PER_CALL = 100
/** Condition ids in one call: their 80 characters each must fit into an address. */
export const CONDITION_IDS_PER_CALL = 50
const PAGE_LIMIT = 100

// A third of what the venue allows: Gamma's tightest list is 300 in 10 s, `POST /books` 500 in 10 s.
const GAMMA_PACE = { ratePerSecond: 10, capacity: 10 }
const CLOB_PACE = { ratePerSecond: 16, capacity: 16 }

/** Typed calls to the venue's two REST APIs: Gamma for what there is, the CLOB for books. */
export class PolymarketRest {
  private readonly gamma: RestClient
  private readonly clob: RestClient

  constructor({ gammaBase, clobBase, breaker, ...options }: PolymarketRestOptions) {
    const around = (name: string) => new Breaker({ name, ...breaker, isFailure: isOutage })
    this.gamma = new RestClient({
      base: gammaBase,
      bucket: new TokenBucket(GAMMA_PACE),
      breaker: around('gamma'),
      ...options
    })
    this.clob = new RestClient({
      base: clobBase,
      bucket: new TokenBucket(CLOB_PACE),
      breaker: around('clob'),
      ...options
    })
  }

  get status(): RestStatus {
    return restStatus([this.gamma.status, this.clob.status])
  }

  /** True while there is room for a call for books that can wait. */
  get hasRoomForBooks(): boolean {
    return this.clob.hasRoom
  }

  /** Returns one page of open events, busiest first; `cursor` is null for the first page. */
  fetchEvents(tagSlug: string | undefined, cursor: string | null): Promise<ParsedPage> {
    return this.page('events', {
      limit: PAGE_LIMIT,
      closed: false,
      order: 'volume24hr',
      ascending: false,
      tag_slug: tagSlug,
      after_cursor: cursor ?? undefined
    })
  }

  /** Returns the markets of some condition ids, either the closed ones among them or the others. */
  async fetchMarkets(conditionIds: readonly string[], closed: boolean): Promise<unknown[]> {
    const query = { condition_ids: conditionIds, closed, limit: PAGE_LIMIT, include_tag: true }
    return (await this.page('markets', query)).items
  }

  /** Returns the books of some assets in no order; those that the venue has none of are left out. */
  async fetchBooks(assetIds: readonly string[]): Promise<ParsedBook[]> {
    const { body } = await this.clob.post(
      CLOB_PATHS.books,
      assetIds.map((token_id) => ({ token_id }))
    )
    if (!Array.isArray(body)) throw new VenueRestError('POST /books answered no list', 200, false)
    return body.flatMap((one) => parseRestBook(one) ?? [])
  }

  async close(): Promise<void> {
    await Promise.all([this.gamma.close(), this.clob.close()])
  }

  private async page(
    list: 'events' | 'markets',
    query: Record<string, string | number | boolean | readonly string[] | undefined>
  ): Promise<ParsedPage> {
    const { body } = await this.gamma.get(GAMMA_PATHS[list], { query })
    const page = parsePage(body, list)
    if (page === null) throw new VenueRestError(`GET ${GAMMA_PATHS[list]} answered no page`, 200, false)
    return page
  }
}
