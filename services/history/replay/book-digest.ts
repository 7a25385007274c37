import { createHash } from 'node:crypto'
import { STATES } from '../../integrity/verdict.ts'
import { NO, YES } from '../../orderbook/arena.ts'
import type { SnapshotStore } from '../../snapshots/store.ts'

const ENTRY_INTS = 5
const ENTRIES = 4_096

/**
 * SHA-256 over every change of every book of a store, in order: its market, version, the prints of both sides and the
 * state of its verdict. Equal digests mean that all readers at all times saw the same.
 */
export class BookDigest {
  private readonly store: SnapshotStore
  private readonly hash = createHash('sha256')
  private readonly entries = new Int32Array(ENTRIES * ENTRY_INTS)
  private used = 0
  /** Which market was told of last in each slot. */
  private readonly ids: (string | undefined)[] = []
  private readonly tell: (slot: number) => void

  /** Hears every change from now on, until `stop`. */
  constructor(store: SnapshotStore) {
    this.store = store
    this.tell = store.books.onTouch
    store.books.onTouch = (slot) => {
      this.tell(slot)
      this.note(slot)
    }
  }

  stop(): void {
    this.store.books.onTouch = this.tell
  }

  /** Of all changes so far, hexadecimal. */
  value(): string {
    this.flush()
    return this.hash.copy().digest('hex')
  }

  private note(slot: number): void {
    const { books } = this.store
    const id = this.store.at(slot)?.id
    if (this.ids[slot] !== id) {
      this.flush()
      this.ids[slot] = id
      this.hash.update(`${slot} ${id ?? 'none'}\n`)
    }
    const { entries } = this
    const at = this.used * ENTRY_INTS
    entries[at] = slot
    entries[at + 1] = books.versions[slot] as number
    entries[at + 2] = books.arena.sidePrint(slot, YES)
    entries[at + 3] = books.arena.sidePrint(slot, NO)
    entries[at + 4] = STATES.indexOf(books.verdicts.state(slot))
    if (++this.used === ENTRIES) this.flush()
  }

  private flush(): void {
    if (this.used === 0) return
    const bytes = this.used * ENTRY_INTS * Int32Array.BYTES_PER_ELEMENT
    this.hash.update(new Uint8Array(this.entries.buffer, 0, bytes))
    this.used = 0
  }
}
