const EMPTY = -1
const REMOVED = -2
const FNV_OFFSET = 0x811c9dc5
const FNV_PRIME = 0x01000193

/**
 * Finds the slot of a market by the bytes of its venue id as they stand in a frame, without making a string.
 * Ids are ASCII. Open addressing, at most half full; a removed id leaves a mark until the table is next rebuilt.
 */
export class ByteIndex {
  private capacity = 1024
  private slots = new Int32Array(this.capacity).fill(EMPTY)
  private readonly ids = new Map<string, number>()
  private keys: (Buffer | undefined)[] = new Array(this.capacity)
  private filled = 0

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
    if ((this.filled + 1) * 2 > this.capacity) this.rebuild()
    this.ids.set(id, slot)
    this.place(id, slot)
  }

  delete(id: string): void {
    if (!this.ids.delete(id)) return
    const key = Buffer.from(id, 'latin1')
    const at = this.locate(key, 0, key.length)
    this.slots[at] = REMOVED
    this.keys[at] = undefined
  }

  /** Returns the slot of the id that stands in `bytes` from `start` to `end`, or -1. */
  find(bytes: Uint8Array, start: number, end: number): number {
    const at = this.locate(bytes, start, end)
    return at < 0 ? -1 : (this.slots[at] as number)
  }

  private locate(bytes: Uint8Array, start: number, end: number): number {
    const mask = this.capacity - 1
    let at = hash(bytes, start, end) & mask
    for (;;) {
      const slot = this.slots[at] as number
      if (slot === EMPTY) return -1
      if (slot !== REMOVED && equal(this.keys[at] as Buffer, bytes, start, end)) return at
      at = (at + 1) & mask
    }
  }

  private place(id: string, slot: number): void {
    const key = Buffer.from(id, 'latin1')
    const mask = this.capacity - 1
    let at = hash(key, 0, key.length) & mask
    while ((this.slots[at] as number) !== EMPTY) at = (at + 1) & mask
    this.slots[at] = slot
    this.keys[at] = key
    this.filled++
  }

  private rebuild(): void {
    while ((this.ids.size + 1) * 4 > this.capacity) this.capacity *= 2
    this.slots = new Int32Array(this.capacity).fill(EMPTY)
    this.keys = new Array(this.capacity)
    this.filled = 0
    for (const [id, slot] of this.ids) this.place(id, slot)
  }
}

/** FNV-1a over at most the last 24 bytes and the length: ids of one venue differ at their ends. */
function hash(bytes: Uint8Array, start: number, end: number): number {
  let value = FNV_OFFSET ^ (end - start)
  for (let i = Math.max(start, end - 24); i < end; i++)
    value = Math.imul(value ^ (bytes[i] as number), FNV_PRIME)
  return (value ^ (value >>> 15)) >>> 0
}

function equal(key: Buffer, bytes: Uint8Array, start: number, end: number): boolean {
  if (key.length !== end - start) return false
  for (let i = 0; i < key.length; i++) if (key[i] !== bytes[start + i]) return false
  return true
}
