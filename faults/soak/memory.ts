/** What grows in the first minutes is caches and compiled code. */
export const WARM_MS = 120_000
export const WINDOW_MS = 60_000

/** Bytes that a process holds: in the machine's memory, and in its own heap right after a collection. */
export interface Held {
  rss: number
  heapUsed: number
}

export interface Growth {
  /** In the minute after the warm-up, and in the last one. */
  warm: Held
  end: Held
  /** How much more the later is, as a share: 0.1 is a tenth. */
  grown: Held
}

/**
 * Compares the memory of two minutes of the same load.
 *
 * Resident memory is the median of a minute's looks. A single one tells little: some 105 s after the start the engine's
 * first whole collection was seen to give 30 MB back, of which the next three minutes took most again. No collection is
 * asked for in those minutes, since what is resident without one is what a machine has to have. The heap is a single
 * number, which is only right just after a collection: that is asked for when the minute is over.
 */
export class MemoryWatch {
  readonly #lengthMs: number
  readonly #warm: number[] = []
  readonly #end: number[] = []
  #warmHeap: number | null = null

  /** `lengthMs`: how long the load lasts. */
  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs
  }

  /** Takes one look, `atMs` after the start; `collect` resolves to the heap after a collection and is seldom called. */
  async look(atMs: number, rss: number, collect: () => Promise<number>): Promise<void> {
    if (atMs >= WARM_MS && atMs < WARM_MS + WINDOW_MS) this.#warm.push(rss)
    if (atMs >= WARM_MS + WINDOW_MS) this.#warmHeap ??= await collect()
    if (atMs >= this.#lengthMs - WINDOW_MS) this.#end.push(rss)
  }

  /** Returns what came of it, given the heap in the end; null for a load too short to have two minutes to compare. */
  growth(heapInTheEnd: number): Growth | null {
    if (this.#lengthMs < WARM_MS + 2 * WINDOW_MS || this.#warmHeap === null) return null
    const warm = { rss: median(this.#warm), heapUsed: this.#warmHeap }
    const end = { rss: median(this.#end), heapUsed: heapInTheEnd }
    return {
      warm,
      end,
      grown: { rss: end.rss / warm.rss - 1, heapUsed: end.heapUsed / warm.heapUsed - 1 }
    }
  }
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN
}
