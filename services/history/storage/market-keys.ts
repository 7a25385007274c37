import { type Kysely, sql } from 'kysely'
import { storable } from './sql-columns.ts'
import type { Tables } from './tables.ts'

/** Where a market is told of, and since when. */
const FIRST_TIMES = [
  ['markets_meta', 'from_ms'],
  ['coverage', 'from_ms'],
  ['market_snapshots', 'at_ms'],
  ['trades', 'received_at_ms']
] as const

/**
 * The short numbers that stand for market ids in every table: an id of Polymarket has 77 characters, in each row and
 * in each index. A number is never taken back.
 */
export class MarketKeys {
  private readonly db: Kysely<Tables>
  private readonly known = new Map<string, number>()

  constructor(db: Kysely<Tables>) {
    this.db = db
  }

  /** Returns what gives the number of each of these markets, which get one if they have none. */
  async of(marketIds: Iterable<string>): Promise<(marketId: string) => number> {
    const missing = new Set<string>()
    for (const id of marketIds) if (!this.known.has(id)) missing.add(id)
    if (missing.size > 0) await this.learn([...missing])
    return (marketId) => this.known.get(marketId) as number
  }

  private async learn(marketIds: string[]): Promise<void> {
    // Sorted: two processes that add the same ids then wait for each other, and never in a circle.
    const texts = marketIds.map(storable).sort()
    await sql`
      insert into market_keys (market_id) select unnest(${texts}::text[]) on conflict do nothing`.execute(
      this.db
    )
    const rows = await this.db
      .selectFrom('market_keys')
      .select(['market_id', 'market_key'])
      .where('market_id', '=', sql<string>`any(${texts})`)
      .execute()
    const keys = new Map(rows.map((row) => [row.market_id, row.market_key]))
    for (const id of marketIds) this.known.set(id, keys.get(storable(id)) as number)
  }
}

/** SQL for the number of a market; null where nothing was ever recorded of it. */
export function keyOf(marketId: string) {
  return sql<number>`(select market_key from market_keys where market_id = ${storable(marketId)})`
}

/** True when anything was ever recorded of a market, or had been at an instant. */
export async function knows(
  db: Kysely<Tables>,
  marketId: string,
  asOfMs: number | null = null
): Promise<boolean> {
  const found =
    asOfMs === null
      ? sql`${keyOf(marketId)} is not null`
      : sql.join(
          FIRST_TIMES.map(
            ([table, at]) => sql`exists (
              select from ${sql.table(table)}
              where market_key = ${keyOf(marketId)} and ${sql.ref(at)} <= ${asOfMs}::bigint)`
          ),
          sql` or `
        )
  const { rows } = await sql<{ known: boolean }>`select ${found} as known`.execute(db)
  return rows[0]?.known ?? false
}
