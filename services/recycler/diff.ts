import type { Market } from '../../schemas/market.ts'

/** What a fresh discovery says of the followed markets that the one before did not. */
export interface MarketDiff {
  added: string[]
  changed: { id: string; fields: string[] }[]
  /** No longer followed: ended, or no longer among the selected. */
  ended: string[]
}

/** These move with every trade and say nothing of the market itself. */
const ALWAYS_MOVING: ReadonlySet<string> = new Set<keyof Market>(['volume', 'volume24h', 'openInterest'])

/** Returns how two discoveries differ; ids in the order of the discovery that names them. */
export function diffMarkets(
  before: ReadonlyMap<string, Market>,
  after: ReadonlyMap<string, Market>
): MarketDiff {
  const diff: MarketDiff = { added: [], changed: [], ended: [] }
  for (const id of before.keys()) if (!after.has(id)) diff.ended.push(id)
  for (const [id, market] of after) {
    const known = before.get(id)
    if (known === undefined) diff.added.push(id)
    else {
      const fields = changedFields(known, market)
      if (fields.length > 0) diff.changed.push({ id, fields })
    }
  }
  return diff
}

function changedFields(before: Market, after: Market): string[] {
  if (before === after) return []
  const names = Object.keys(after) as (keyof Market)[]
  return names.filter(
    (name) => !ALWAYS_MOVING.has(name) && JSON.stringify(before[name]) !== JSON.stringify(after[name])
  )
}
