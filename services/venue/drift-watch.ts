/** What was not understood: one change, or a whole book. */
export type DriftKind = 'change' | 'book'

interface Drifted {
  kind: DriftKind
  /** How many of the kind were understood when this one was not. */
  understood: number
  isReplaced: boolean
}

/**
 * Books of which a message was not understood. One is trusted again only when messages of that kind are understood
 * again, of any market, and a fresh whole book is in: as long as the venue speaks in a way that we do not know, the
 * next message would spoil the fresh book as the last one did, unseen between the two.
 */
export class DriftWatch {
  /** How many were understood since the start; counted by whoever applies them. */
  changes = 0
  books = 0
  private readonly drifted = new Map<number, Drifted>()

  get size(): number {
    return this.drifted.size
  }

  note(slot: number, kind: DriftKind): void {
    this.drifted.set(slot, { kind, understood: this.count(kind), isReplaced: false })
  }

  forget(slot: number): void {
    this.drifted.delete(slot)
  }

  /** Records that a fresh whole book is in; true when that ends the drift. */
  replaced(slot: number): boolean {
    const known = this.drifted.get(slot)
    if (known === undefined) return true
    known.isReplaced = true
    return this.endIfOver(slot, known)
  }

  /** Returns the books whose drift is over since they were replaced. */
  takeOver(): number[] {
    const over: number[] = []
    for (const [slot, known] of this.drifted)
      if (known.isReplaced && this.endIfOver(slot, known)) over.push(slot)
    return over
  }

  /** Returns the books whose messages are understood again: from now on the next fresh whole book ends their drift. */
  takeReadable(): number[] {
    const readable: number[] = []
    for (const [slot, known] of this.drifted) if (this.endIfOver(slot, known)) readable.push(slot)
    return readable
  }

  private endIfOver(slot: number, { kind, understood }: Drifted): boolean {
    if (this.count(kind) === understood) return false
    this.drifted.delete(slot)
    return true
  }

  private count(kind: DriftKind): number {
    return kind === 'change' ? this.changes : this.books
  }
}
