import type { Venue } from '../../schemas/common.ts'

/** Of all that a cluster keeps in Redis. The braces keep it on one node of a sharded Redis, since scripts need it together. */
export interface ClusterKeys {
  /** Sorted set: ingest processes by when they were last heard of, on the clock of Redis. */
  members: string
  /** Hash: what each ingest process is prepared to take over. */
  prepared: string
  /** Who may write a shard: the epoch and the member, with an expiry. */
  lease(shard: number): string
  /** The highest epoch that a shard ever had. */
  epoch(shard: number): string
  /** Stream: what changes in a shard. */
  changes(shard: number): string
  /** Hash: every market of a shard whole, by id, and what they are complete up to. */
  books(shard: number): string
}

/** The field of `ClusterKeys.books` that says what the others are complete up to; no market has this id. */
export const MARK_FIELD = '.mark'

/** Processes that divide the markets otherwise are another cluster: a shard must mean the same to all that write it. */
export function clusterKeys(cluster: string, shards: number): ClusterKeys {
  const under = (name: string) => `{${cluster}/${shards}}:${name}`
  return {
    members: under('members'),
    prepared: under('prepared'),
    lease: (shard) => under(`lease:${shard}`),
    epoch: (shard) => under(`epoch:${shard}`),
    changes: (shard) => under(`changes:${shard}`),
    books: (shard) => under(`books:${shard}`)
  }
}

/** What others read too: the names are public. `id` is the venue's own. */
export const cacheKey = {
  market: (venue: Venue, id: string) => `market:${venue}:${id}`,
  book: (venue: Venue, id: string) => `orderbook:${venue}:${id}`,
  price: (venue: Venue, id: string) => `price:${venue}:${id}`
}
