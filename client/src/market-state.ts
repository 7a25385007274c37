import { Reader } from './reader.ts'

/** The latest of one market, whole. */
export interface Update<T> {
  id: string
  /** Null: the market belongs to what was asked no longer. */
  value: T | null
  /**
   * False: it was so when we heard last; the connection is lost, or messages were left out, and what it is now is on its way.
   */
  isCurrent: boolean
  /** True: values between the one you were handed before and this one may have been left out; you or the connection were too slow. */
  isConflated: boolean
}

/** How one channel's messages become what is held of a market, and that becomes what is handed over. */
export interface Keeping<Told, Held, T> {
  idOf: (told: Told) => string
  /** Returns what is held after a message and if it was a whole one; null if it changes nothing or cannot be applied. */
  apply: (told: Told, held: Held | undefined, id: string) => { held: Held; isWhole: boolean } | null
  toValue: (held: Held) => T | null
}

interface Kept<Held> {
  held: Held
  /** Another one after every message that was applied. */
  stamp: number
  /** Void: only a whole one may follow. */
  isVoid: boolean
  /** How many losses it has been made whole after. */
  wholeAfter: number
}

/** Why a market waits to be handed over. doubt: only whether it is current may have changed; conflated: more than one value. */
type Cause = 'doubt' | 'value' | 'conflated'

/** One reader's part: which markets it has yet to be handed, and what it was handed last. */
interface Place<T> {
  reader: Reader<Update<T>>
  /** In the order in which they changed, each market once. */
  waiting: Map<string, Cause>
  handed: Map<string, { stamp: number; isCurrent: boolean }>
}

/**
 * The state of the markets of one subscription, for any number of readers. What waits for a slow reader is names of markets,
 * at most each once: it is handed the latest state and told what was left out.
 */
export class MarketState<Told, Held, T> {
  readonly hasState = true
  private readonly keeping: Keeping<Told, Held, T>
  private readonly onConflated: () => void
  private readonly kept = new Map<string, Kept<Held>>()
  private readonly places = new Set<Place<T>>()
  private isUp = false
  private isWhole = false
  /** Times that some of the state was left out or void. */
  private losses = 0
  private stamps = 0

  constructor(keeping: Keeping<Told, Held, T>, onConflated: () => void) {
    this.keeping = keeping
    this.onConflated = onConflated
  }

  /** Returns a reader, which is handed at first all that is held. */
  open(onEnd: () => void): Reader<Update<T>> {
    const place: Place<T> = {
      reader: new Reader(
        () => this.take(place),
        () => {
          this.places.delete(place)
          onEnd()
        }
      ),
      waiting: new Map(),
      handed: new Map()
    }
    for (const id of this.kept.keys()) place.waiting.set(id, 'value')
    this.places.add(place)
    return place.reader
  }

  get readers(): number {
    return this.places.size
  }

  /** Takes what a message tells of markets. */
  told(told: readonly Told[], removed: readonly string[]): void {
    for (const id of removed) this.remove(id)
    for (const one of told) {
      const id = this.keeping.idOf(one)
      const before = this.kept.get(id)
      const usable = before?.isVoid ? undefined : before?.held
      const applied = this.keeping.apply(one, usable, id)
      if (applied === null) continue
      const isMissing = before !== undefined && before.wholeAfter !== this.losses && !this.isWhole
      const { held, isWhole } = applied
      this.kept.set(id, { held, stamp: ++this.stamps, isVoid: false, wholeAfter: this.losses })
      this.mark(id, isMissing && isWhole)
    }
    this.wake()
  }

  /** The connection is there and tells everything from now on, or is not. */
  line(isUp: boolean): void {
    if (this.isUp === isUp) return
    this.isUp = isUp
    this.doubt()
  }

  /** Messages are left out; the latest state of what they concerned follows. */
  lag(removed: readonly string[]): void {
    this.losses++
    this.isWhole = false
    for (const id of removed) this.remove(id)
    this.doubt()
  }

  /** All that is held is void; the whole state follows. */
  voided(): void {
    for (const one of this.kept.values()) one.isVoid = true
    this.lag([])
  }

  /** The whole state has come. */
  whole(): void {
    for (const [id, { isVoid }] of this.kept) if (isVoid) this.remove(id)
    this.isWhole = true
    this.doubt()
  }

  /** Ends all readers. */
  end(failure: { error: unknown } | null): void {
    for (const { reader } of [...this.places]) reader.end(failure)
  }

  /** Whether what is held is current may have changed: everything is looked at again. */
  private doubt(): void {
    for (const { waiting, handed } of this.places)
      for (const id of handed.keys()) if (!waiting.has(id)) waiting.set(id, 'doubt')
    this.wake()
  }

  private mark(id: string, isMissing: boolean): void {
    for (const { waiting, handed } of this.places) {
      const cause = waiting.get(id)
      if (cause === 'conflated') continue
      // Of what it never was handed, a reader misses nothing.
      const isConflated = isMissing || (cause === 'value' && handed.has(id))
      if (isConflated) this.onConflated()
      waiting.set(id, isConflated ? 'conflated' : 'value')
    }
  }

  /** Forgets a market; a reader that never was handed it need not know, and what waits is never more than there is. */
  private remove(id: string): void {
    if (!this.kept.delete(id)) return
    for (const { waiting, handed } of this.places) {
      if (!handed.has(id)) waiting.delete(id)
      else if (!waiting.has(id)) waiting.set(id, 'value')
    }
  }

  private wake(): void {
    for (const { reader } of [...this.places]) reader.wake()
  }

  private take({ waiting, handed }: Place<T>): Update<T> | undefined {
    for (const [id, cause] of waiting) {
      waiting.delete(id)
      const isConflated = cause === 'conflated'
      const one = this.kept.get(id)
      if (one === undefined) {
        if (handed.delete(id)) return { id, value: null, isCurrent: this.isUp, isConflated }
        continue
      }
      const { held, stamp } = one
      const isCurrent = this.isUp && (this.isWhole || one.wholeAfter === this.losses)
      const before = handed.get(id)
      if (before?.stamp === stamp && before.isCurrent === isCurrent) continue
      handed.set(id, { stamp, isCurrent })
      return { id, value: this.keeping.toValue(held), isCurrent, isConflated }
    }
    return undefined
  }
}
