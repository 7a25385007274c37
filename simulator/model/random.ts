/** A seeded stream of chance: the same seed gives the same numbers on every machine. */
export interface Random {
  /** A number from 0 (included) to 1 (excluded). */
  next(): number
  /** An integer from 0 (included) to `limit` (excluded). */
  int(limit: number): number
  /** An integer from `low` to `high`, both included. */
  between(low: number, high: number): number
  chance(probability: number): boolean
  pick<Item>(items: readonly Item[]): Item
  /** Lower-case hexadecimal digits. */
  hex(length: number): string
  /** Decimal digits, the first one never 0. */
  digits(length: number): string
  uuid(): string
  /** An independent stream, so that one reader cannot disturb another. */
  fork(): Random
}

/** Returns a stream for a 32-bit seed (mulberry32). Not for secrets. */
export function createRandom(seed: number): Random {
  let state = seed | 0

  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let word = Math.imul(state ^ (state >>> 15), 1 | state)
    word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word
    return ((word ^ (word >>> 14)) >>> 0) / 2 ** 32
  }
  const int = (limit: number) => Math.floor(next() * limit)
  const hex = (length: number) => {
    let text = ''
    while (text.length < length)
      text += int(2 ** 24)
        .toString(16)
        .padStart(6, '0')
    return text.slice(0, length)
  }

  return {
    next,
    int,
    hex,
    between: (low, high) => low + int(high - low + 1),
    chance: (probability) => next() < probability,
    pick: (items) => {
      const item = items[int(items.length)]
      if (item === undefined) throw new RangeError('nothing to pick from')
      return item
    },
    digits: (length) => {
      let text = String(1 + int(9))
      while (text.length < length) text += String(int(1_000_000)).padStart(6, '0')
      return text.slice(0, length)
    },
    uuid: () => `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(12)}`,
    fork: () => createRandom(int(2 ** 32))
  }
}
