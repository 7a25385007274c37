const STRIDE = 8
const TIMESTAMP = 0
const HASH = 1
const COMPLEMENT_HASH = 2
/** When it was told, on the steady clock as of the last tick; NONE once that was proved or given up. */
const PENDING_AT = 3
/** 1 where the best prices of the message were those of the book after it, else 0. */
const HAD_BEST = 4
const HEARD_AT = 5

const NONE = -1
/** A message that is older than the one before it by more than this shows a clock put back, not a wrong order. */
const WRONG_ORDER_MAX_MS = 1_000

/** The state of a book that one message told. */
export interface ToldState {
  timestampMs: number
  hash: number
}

/**
 * What the venue told last of each whole book, by slot: the time and folded hash of the message, that of the
 * complement, and whether the best prices were right. Side by side, since each message writes them all.
 */
export class ProofMarks {
  private readonly marks: Float64Array
  /** Of books whose last message was older than the one before it: that one. */
  private readonly asides = new Map<number, ToldState>()

  constructor(capacityMarkets: number) {
    this.marks = new Float64Array(capacityMarkets * STRIDE)
    for (let slot = 0; slot < capacityMarkets; slot++) this.reset(slot)
  }

  reset(slot: number): void {
    const { marks } = this
    const entry = slot * STRIDE
    marks[entry + TIMESTAMP] = 0
    marks[entry + HASH] = NONE
    marks[entry + COMPLEMENT_HASH] = NONE
    marks[entry + PENDING_AT] = NONE
    marks[entry + HEARD_AT] = 0
    if (this.asides.size > 0) this.asides.delete(slot)
  }

  set(slot: number, timestampMs: number, hash: number, hasBest: boolean, tickedAtMs: number): void {
    const { marks } = this
    const entry = slot * STRIDE
    const toldMs = marks[entry + TIMESTAMP] as number
    if (timestampMs < toldMs) this.putAside(slot, toldMs - timestampMs)
    // A second message of before it too: then it is the venue's clock that was put back.
    else if (this.asides.size > 0 && hash !== marks[entry + HASH]) this.asides.delete(slot)
    marks[entry + TIMESTAMP] = timestampMs
    marks[entry + HASH] = hash
    marks[entry + COMPLEMENT_HASH] = NONE
    marks[entry + PENDING_AT] = tickedAtMs
    marks[entry + HAD_BEST] = hasBest ? 1 : 0
    marks[entry + HEARD_AT] = tickedAtMs
  }

  /** Adds the complement's hash to a message that was set; one that was left out has none. */
  setComplement(slot: number, timestampMs: number, hash: number): void {
    const entry = slot * STRIDE
    if (this.marks[entry + TIMESTAMP] === timestampMs) this.marks[entry + COMPLEMENT_HASH] = hash
  }

  /** True when something is still to be proved, and a message with this time and hash is not part of it. */
  isOther(slot: number, timestampMs: number, hash: number): boolean {
    const { marks } = this
    const entry = slot * STRIDE
    if ((marks[entry + PENDING_AT] as number) === NONE) return false
    return marks[entry + HASH] !== hash || marks[entry + TIMESTAMP] !== timestampMs
  }

  isPending(slot: number): boolean {
    return this.marks[slot * STRIDE + PENDING_AT] !== NONE
  }

  /** True when something is still to be proved that was told before a moment. */
  isQuiet(slot: number, beforeMs: number): boolean {
    const pendingAtMs = this.marks[slot * STRIDE + PENDING_AT] as number
    return pendingAtMs !== NONE && pendingAtMs <= beforeMs
  }

  /** What was told is proved or given up; it stays to be compared with. */
  done(slot: number): void {
    this.marks[slot * STRIDE + PENDING_AT] = NONE
  }

  timestampMs(slot: number): number {
    return this.marks[slot * STRIDE + TIMESTAMP] as number
  }

  hash(slot: number): number {
    return this.marks[slot * STRIDE + HASH] as number
  }

  complementHash(slot: number): number {
    return this.marks[slot * STRIDE + COMPLEMENT_HASH] as number
  }

  heardAtMs(slot: number): number {
    return this.marks[slot * STRIDE + HEARD_AT] as number
  }

  hadBest(slot: number): boolean {
    return this.marks[slot * STRIDE + HAD_BEST] === 1
  }

  /** What tells the present state where that is not what came last: the later of two in the wrong order. */
  aside(slot: number): ToldState | undefined {
    return this.asides.size === 0 ? undefined : this.asides.get(slot)
  }

  forgetAside(slot: number): void {
    if (this.asides.size > 0) this.asides.delete(slot)
  }

  private putAside(slot: number, backMs: number): void {
    const entry = slot * STRIDE
    const timestampMs = this.marks[entry + TIMESTAMP] as number
    if (backMs <= WRONG_ORDER_MAX_MS)
      this.asides.set(slot, { timestampMs, hash: this.marks[entry + HASH] as number })
  }
}
