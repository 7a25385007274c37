import { badRequest } from './errors.ts'

/** The parameters of one request; each reader throws the venue's 400 on a value that it does not take. */
export class Query {
  readonly #values: URLSearchParams

  constructor(values: URLSearchParams) {
    this.#values = values
  }

  text(name: string): string | null {
    return this.#values.get(name) || null
  }

  repeated(name: string): string[] {
    return this.#values.getAll(name).filter((value) => value !== '')
  }

  /** A comma list, null where absent. */
  list(name: string): string[] | null {
    return this.text(name)?.split(',').filter(Boolean) ?? null
  }

  flag(name: string): boolean {
    return this.#values.get(name) === 'true'
  }

  integer(name: string, least: number, most: number): number | null {
    const text = this.text(name)
    if (text === null) return null
    const value = Number(text)
    if (!/^\d+$/.test(text) || value < least || value > most) throw badRequest(`invalid ${name}`)
    return value
  }

  /** Unix seconds, as ms. */
  time(name: string): number | null {
    const value = this.integer(name, 0, 100_000_000_000)
    return value === null ? null : value * 1000
  }

  oneOf<Word extends string>(name: string, words: readonly Word[], details = `invalid ${name}`): Word | null {
    const text = this.text(name)
    if (text === null) return null
    const word = words.find((one) => one === text)
    if (word === undefined) throw badRequest(details)
    return word
  }
}

/** One page of a list and the cursor of the next, empty at the end. */
export interface Page<Item> {
  items: Item[]
  cursor: string
}

/**
 * Returns the items after a cursor, at most `limit`. The cursor names the last item seen, in the unfiltered
 * list, so that a list that grows or whose items change between pages neither repeats nor skips. `isShort`
 * makes the page end early, as the venue's may.
 */
export function pageOf<Item>(
  list: readonly Item[],
  keep: (item: Item) => boolean,
  keyOf: (item: Item) => string,
  { cursor, limit, isShort }: { cursor: string | null; limit: number; isShort: boolean }
): Page<Item> {
  let start = 0
  if (cursor !== null) {
    const last = readCursor(cursor)
    const at = list.findIndex((item) => keyOf(item) === last.key)
    // A list may lose that item, too: then what stood after it stands in its place.
    start = at === -1 ? last.index : at + 1
  }
  const size = isShort ? Math.max(1, Math.floor(limit * 0.7)) : limit
  const items: Item[] = []
  let next = ''
  for (let index = start; index < list.length; index++) {
    const item = list[index]
    if (item === undefined || !keep(item)) continue
    if (items.length === size) return { items, cursor: next }
    items.push(item)
    if (items.length === size) next = writeCursor(index, keyOf(item))
  }
  return { items, cursor: '' }
}

/** The venue's cursors are base64 of a protobuf; nobody should read them, and ours is as hard to read. */
function writeCursor(index: number, key: string): string {
  return Buffer.from(`${index}\u0012${key}`).toString('base64url')
}

function readCursor(cursor: string): { index: number; key: string } {
  const [index, key] = Buffer.from(cursor, 'base64url').toString().split('\u0012')
  if (key === undefined || !/^\d+$/.test(index ?? '')) throw badRequest('invalid cursor')
  return { index: Number(index), key }
}
