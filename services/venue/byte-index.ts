import { BYTES } from './frame-bytes.ts'

const NO_ENTRY = -1
/** Odd, its bits spread evenly: 2^32 over the golden ratio. */
const HASH_FACTOR = 0x9e3779b1
/** An entry: the hash of its id, its slot (-1: never used, -2: removed), its length, and the id itself. */
const HASH = 0
const SLOT = 1
const LENGTH = 2
const ID = 3
const UNUSED = -1
const REMOVED = -2
/** Ids take room in steps of 32 bytes, so that a longer one seldom makes the table anew. */
const ID_WORDS_STEP = 8
const SMALLEST = 1024
const WORD = 4

/**
 * Finds the slot of a market by the bytes of its venue id as they stand in the held frame, without making a string.
 * Ids are ASCII. Open addressing, at most half full, in one flat array with the ids in it: a look-up touches one place.
 * What is removed leaves a mark until the table is next rebuilt.
 */
export class ByteIndex {
  private readonly ids = new Map<string, number>()
  private capacity = SMALLEST
  private idWords = ID_WORDS_STEP
  private entryWords = ID + ID_WORDS_STEP
  private table = new Int32Array(0)
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
    if ((this.used + 1) * 2 > this.capacity || wordsOf(id) > this.idWords) this.rebuild()
    else this.place(id, slot)
  }

  delete(id: string): void {
    if (!this.ids.delete(id)) return
    this.table[this.locate(viewOf(id), 0, id.length) + SLOT] = REMOVED
  }

  /** Returns the slot of the id that stands in `BYTES` from `start` to `end`, or -1. */
  find(start: number, end: number): number {
    const entry = this.locate(FRAME, start, end)
    return entry === NO_ENTRY ? NO_ENTRY : (this.table[entry + SLOT] as number)
  }

  /** `bytes` has three bytes to read after `end`. */
  private locate(bytes: DataView, start: number, end: number): number {
    const { table, capacity, entryWords } = this
    const mask = capacity - 1
    const length = end - start
    const hash = hashOf(bytes, start, end)
    for (let place = hash & mask; ; place = (place + 1) & mask) {
      const entry = place * entryWords
      const slot = table[entry + SLOT] as number
      if (slot === UNUSED) return NO_ENTRY
      if (slot === REMOVED || table[entry + HASH] !== hash || table[entry + LENGTH] !== length) continue
      let word = entry + ID
      let at = start
      while (at + WORD <= end && bytes.getInt32(at, true) === table[word]) {
        word++
        at += WORD
      }
      if (at === end || (end - at < WORD && lastWord(bytes, at, end) === table[word])) return entry
    }
  }

  private place(id: string, slot: number): void {
    const { table, capacity, entryWords } = this
    const bytes = viewOf(id)
    const mask = capacity - 1
    const hash = hashOf(bytes, 0, id.length)
    let place = hash & mask
    while (table[place * entryWords + SLOT] !== UNUSED) place = (place + 1) & mask
    const entry = place * entryWords
    table[entry + HASH] = hash
    table[entry + SLOT] = slot
    table[entry + LENGTH] = id.length
    for (let word = 0; word < wordsOf(id); word++)
      table[entry + ID + word] = lastWord(bytes, word * WORD, id.length)
    this.used++
  }

  private rebuild(): void {
    let longest = 1
    for (const id of this.ids.keys()) longest = Math.max(longest, wordsOf(id))
    while ((this.ids.size + 1) * 4 > this.capacity) this.capacity *= 2
    this.idWords = Math.ceil((ID + longest) / ID_WORDS_STEP) * ID_WORDS_STEP - ID
    this.entryWords = ID + this.idWords
    this.table = new Int32Array(this.capacity * this.entryWords)
    for (let place = 0; place < this.capacity; place++) this.table[place * this.entryWords + SLOT] = UNUSED
    this.used = 0
    for (const [id, slot] of this.ids) this.place(id, slot)
  }
}

function wordsOf(id: string): number {
  return Math.ceil(id.length / WORD)
}

/** Returns an id's bytes, with room to read beyond them. */
function viewOf(id: string): DataView {
  const bytes = new Uint8Array(id.length + WORD)
  for (let i = 0; i < id.length; i++) bytes[i] = id.charCodeAt(i)
  return new DataView(bytes.buffer)
}

/** Returns the four bytes at a position, those from `end` on as zeros. */
function lastWord(bytes: DataView, at: number, end: number): number {
  const word = bytes.getInt32(at, true)
  return end - at >= WORD ? word : word & ((1 << ((end - at) * 8)) - 1)
}

/**
 * A hash of the length and at most the last 16 bytes, four at a step: ids of one venue differ at their ends. A product
 * carries nothing from high bits to low ones, so each is folded, and the last multiplied once more.
 */
function hashOf(bytes: DataView, start: number, end: number): number {
  let value = end - start
  for (let at = Math.max(start, end - 16); at < end; at += WORD) {
    value = Math.imul(value ^ lastWord(bytes, at, end), HASH_FACTOR)
    value ^= value >>> 15
  }
  value = Math.imul(value ^ (value >>> 15), HASH_FACTOR)
  return value ^ (value >>> 15)
}

const FRAME = new DataView(BYTES.buffer)
