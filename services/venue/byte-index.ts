const NO_ENTRY = -1
/** Odd, its bits spread evenly: 2^32 over the golden ratio. */
const HASH_FACTOR = 0x9e3779b1
/** An entry: the hash of its id, its slot (-1: never used, -2: removed), and where the id's bytes stand. */
const ENTRY_FIELDS = 4
const HASH = 0
const SLOT = 1
const START = 2
const LENGTH = 3
const UNUSED = -1
const REMOVED = -2

/**
 * Finds the slot of a market by the bytes of its venue id as they stand in a frame, without making a string.
 * Ids are ASCII. Open addressing, at most half full, over two flat arrays: a look-up touches one entry and one id.
 * What is removed leaves a mark, and its bytes stay, until the table is next rebuilt.
 */
export class ByteIndex {
  private readonly ids = new Map<string, number>()
  private capacity = 1024
  private table = new Int32Array(this.capacity * ENTRY_FIELDS)
  private bytes = new Uint8Array(this.capacity * 32)
  private bytesUsed = 0
  private used = 0

  constructor() {
    this.rebuild()
  }

  get size(): number {
    return this.ids.size
  }

  get(id: string): number | undefined {
    return this.ids.get(id)
  }

  entries(): IterableIterator<[string, number]> {
    return this.ids.entries()
  }

  set(id: string, slot: number): void {
    if (this.ids.has(id)) this.delete(id)
    this.ids.set(id, slot)
    if ((this.used + 1) * 2 > this.capacity || this.bytesUsed + id.length > this.bytes.length) this.rebuild()
    else this.place(id, slot)
  }

  delete(id: string): void {
    if (!this.ids.delete(id)) return
    const key = Buffer.from(id, 'latin1')
    this.table[this.locate(key, 0, key.length) + SLOT] = REMOVED
  }

  /** Returns the slot of the id that stands in `bytes` from `start` to `end`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const entry = this.locate(bytes, start, end)
    return entry === NO_ENTRY ? NO_ENTRY : (this.table[entry + SLOT] as number)
  }

  private locate(frame: Uint8Array, start: number, end: number): number {
    const { table, bytes, capacity } = this
    const mask = capacity - 1
    const hash = hashOf(frame, start, end)
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const entry = place * ENTRY_FIELDS
      const slot = table[entry + SLOT] as number
      if (slot === UNUSED) return NO_ENTRY
      if (slot === REMOVED || table[entry + HASH] !== hash || table[entry + LENGTH] !== end - start) continue
      let id = table[entry + START] as number
      let at = start
      while (at < end && bytes[id] === frame[at]) {
        id++
        at++
      }
      if (at === end) return entry
    }
  }

  private place(id: string, slot: number): void {
    const { table, bytes, capacity, bytesUsed } = this
    for (let i = 0; i < id.length; i++) bytes[bytesUsed + i] = id.charCodeAt(i)
    const mask = capacity - 1
    const hash = hashOf(bytes, bytesUsed, bytesUsed + id.length)
    let place = hash & mask
    while (table[place * ENTRY_FIELDS + SLOT] !== UNUSED) place = (place + 1) & mask
    const entry = place * ENTRY_FIELDS
    table[entry + HASH] = hash
    table[entry + SLOT] = slot
    table[entry + START] = bytesUsed
    table[entry + LENGTH] = id.length
    this.bytesUsed += id.length
    this.used++
  }

  private rebuild(): void {
    let needed = 0
    for (const id of this.ids.keys()) needed += id.length
    while ((this.ids.size + 1) * 4 > this.capacity) this.capacity *= 2
    if (needed * 2 > this.bytes.length) this.bytes = new Uint8Array(needed * 4)
    this.table = new Int32Array(this.capacity * ENTRY_FIELDS).fill(UNUSED)
    this.bytesUsed = 0
    this.used = 0
    for (const [id, slot] of this.ids) this.place(id, slot)
  }
}

/**
 * A hash of the length and at most the last 16 bytes, four at a step: ids of one venue differ at their ends. A product
 * carries nothing from high bits to low ones, so each is folded, and the last multiplied once more.
 */
function hashOf(bytes: Uint8Array, start: number, end: number): number {
  let value = end - start
  let at = Math.max(start, end - 16)
  for (; at + 4 <= end; at += 4) {
    const four =
      (bytes[at] as number) |
      ((bytes[at + 1] as number) << 8) |
      ((bytes[at + 2] as number) << 16) |
      ((bytes[at + 3] as number) << 24)
    value = Math.imul(value ^ four, HASH_FACTOR)
    value ^= value >>> 15
  }
  for (; at < end; at++) value = Math.imul(value ^ (bytes[at] as number), HASH_FACTOR)
  value = Math.imul(value ^ (value >>> 15), HASH_FACTOR)
  return value ^ (value >>> 15)
}
