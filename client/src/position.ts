/** What a message's number says about it. `missing`: a message before it never came. */
export type Order = 'next' | 'duplicate' | 'missing'

/** An epoch that no gateway has: to come back with it says that one was here, and has nothing to go on from. */
const NO_EPOCH = 'none'

/** Where a subscription is in the numbering of its messages, and whether it could go on from there. */
export class Position {
  private epoch: string | null = null
  private seq = 0
  /** The whole state has come: every message after `seq` is all that is needed. */
  private isWhole = false

  /** Where to resume; null: it never was subscribed. */
  get resume(): { epoch: string; seq: number } | null {
    const { epoch, seq, isWhole } = this
    if (epoch === null) return null
    return isWhole ? { epoch, seq } : { epoch: NO_EPOCH, seq: 0 }
  }

  /** A subscription is made; without state to come, it is whole at once. */
  subscribed(epoch: string, seq: number, isWhole: boolean): void {
    this.epoch = epoch
    this.seq = seq
    this.isWhole = isWhole
  }

  /** Takes the number of a live message. */
  next(seq: number): Order {
    if (seq <= this.seq) return 'duplicate'
    if (seq > this.seq + 1) return 'missing'
    this.seq = seq
    return 'next'
  }

  /** Messages are left out; the state follows, if there is one. */
  lag(from: number, to: number, hasState: boolean): Order {
    if (from !== this.seq + 1) return from > this.seq ? 'missing' : 'duplicate'
    this.seq = to
    if (hasState) this.isWhole = false
    return 'next'
  }

  /** A part of the state, of a position; `remaining` 0 is its end. */
  snapshot(seq: number, remaining: number): Order {
    if (seq !== this.seq) return seq > this.seq ? 'missing' : 'duplicate'
    if (remaining === 0) this.isWhole = true
    return 'next'
  }

  /** Everything is told anew, from another position. */
  resync(seq: number, hasState: boolean): void {
    this.seq = seq
    this.isWhole = !hasState
  }

  /** The numbering cannot be trusted: the next subscription starts anew. */
  forget(): void {
    this.isWhole = false
  }
}
