import { createHash } from 'node:crypto'

/** What one element of a list sorts and pages by. */
export interface Sortable {
  id: string
  volumeNum: number
  volume24hr: number
  liquidityNum: number
  startDate: number
  endDate: number
}

export type Page<Item> = { items: Item[]; nextCursor: string | null } | { problem: string }

const SORT_KEYS = new Set([
  'id',
  'volumeNum',
  'volume24hr',
  'liquidityNum',
  'startDate',
  'endDate',
  'volume',
  'liquidity'
])
const KEYSET_LIMIT = 100
const OFFSET_LIMIT = 500
const MAX_OFFSET = 2_000
const DEFAULT_LIMIT = 20

/** Returns a page that continues after `after_cursor`. A cursor under another name is not seen. */
export function keysetPage<Item extends { sort: Sortable }>(
  items: Item[],
  query: URLSearchParams
): Page<Item> {
  if (query.has('offset')) return { problem: 'offset is not supported on keyset endpoints, use after_cursor' }
  const limit = readInteger(query.get('limit'), DEFAULT_LIMIT)
  if (limit === undefined || limit < 1 || limit > KEYSET_LIMIT) {
    return { problem: `limit must be between 1 and ${KEYSET_LIMIT}` }
  }
  const compare = comparator(query)
  const sorted = [...items].sort((a, b) => compare(a.sort, b.sort))
  const cursor = query.get('after_cursor')
  const fingerprint = fingerprintOf(query)
  let rest = sorted
  if (cursor !== null && cursor !== '') {
    const after = readCursor(cursor, fingerprint)
    if (after === undefined) return { problem: 'invalid after_cursor' }
    rest = sorted.filter((item) => compare(item.sort, after) > 0)
  }
  const page = rest.slice(0, limit)
  const last = page.at(-1)
  const hasMore = last !== undefined && rest.length > limit
  return { items: page, nextCursor: hasMore ? writeCursor(last.sort, fingerprint) : null }
}

/** Returns a page by `limit` and `offset`. */
export function offsetPage<Item extends { sort: Sortable }>(
  items: Item[],
  query: URLSearchParams
): Page<Item> {
  const limit = readInteger(query.get('limit'), DEFAULT_LIMIT)
  const offset = readInteger(query.get('offset'), 0)
  if (limit === undefined || limit < 0) return { problem: 'limit must be a number of 0 or more' }
  if (offset === undefined || offset < 0) return { problem: 'offset must be a number of 0 or more' }
  if (offset > MAX_OFFSET) return { problem: 'offset too large, use the keyset endpoint' }
  const compare = comparator(query)
  const sorted = [...items].sort((a, b) => compare(a.sort, b.sort))
  return { items: sorted.slice(offset, offset + Math.min(limit, OFFSET_LIMIT)), nextCursor: null }
}

/** A name that is unknown or in snake case is ignored without an error; the id decides at last. */
function comparator(query: URLSearchParams): (a: Sortable, b: Sortable) => number {
  const direction = query.get('ascending') === 'false' ? -1 : 1
  const keys = (query.get('order') ?? '').split(',').filter((key) => SORT_KEYS.has(key))
  return (a, b) => {
    for (const key of keys) {
      const difference = sortValue(a, key) - sortValue(b, key)
      if (difference !== 0) return difference * direction
    }
    return Number(a.id) - Number(b.id)
  }
}

function sortValue(item: Sortable, key: string): number {
  switch (key) {
    case 'id':
      return Number(item.id)
    case 'volume24hr':
      return item.volume24hr
    case 'liquidityNum':
    case 'liquidity':
      return item.liquidityNum
    case 'startDate':
      return item.startDate
    case 'endDate':
      return item.endDate
    default:
      return item.volumeNum
  }
}

/** A cursor holds for one query only: every filter has to be repeated. */
function fingerprintOf(query: URLSearchParams): string {
  const filters = [...query].filter(([key]) => key !== 'after_cursor' && key !== 'limit').sort()
  return createHash('sha1').update(JSON.stringify(filters)).digest('hex').slice(0, 8)
}

function writeCursor(sort: Sortable, fingerprint: string): string {
  return Buffer.from(JSON.stringify([fingerprint, sort])).toString('base64url')
}

function readCursor(cursor: string, fingerprint: string): Sortable | undefined {
  try {
    const [found, sort] = JSON.parse(Buffer.from(cursor, 'base64url').toString()) as [string, Sortable]
    return found === fingerprint && typeof sort?.id === 'string' ? sort : undefined
  } catch {
    return undefined
  }
}

function readInteger(text: string | null, missing: number): number | undefined {
  if (text === null) return missing
  return /^-?\d+$/.test(text) ? Number(text) : undefined
}
