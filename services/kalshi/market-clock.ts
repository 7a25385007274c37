/** Timers can wait no longer than this. */
const MAX_WAIT_MS = 2 ** 31 - 1

interface Alarm {
  readonly atMs: number
  readonly id: string
}

export interface MarketClockOptions {
  onDue: (id: string) => void
  now?: () => number
}

/**
 * One alarm for each market, over one timer: the venue does not announce that a market opens or closes on time.
 * The alarms stand in a binary heap, soonest first; one that was moved stays there until it comes up, and is skipped.
 */
export class MarketClock {
  private readonly onDue: (id: string) => void
  private readonly now: () => number
  private readonly heap: Alarm[] = []
  private readonly current = new Map<string, Alarm>()
  private timer: NodeJS.Timeout | null = null

  constructor({ onDue, now = Date.now }: MarketClockOptions) {
    this.onDue = onDue
    this.now = now
  }

  /** Sets or moves the alarm of a market. */
  set(id: string, atMs: number): void {
    if (this.current.get(id)?.atMs === atMs) return
    const alarm = { id, atMs }
    this.current.set(id, alarm)
    if (this.heap.length > 2 * this.current.size + 64) this.rebuild()
    else this.push(alarm)
    this.schedule()
  }

  clear(id: string): void {
    this.current.delete(id)
  }

  stop(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    this.timer = null
    this.current.clear()
    this.heap.length = 0
  }

  private schedule(): void {
    if (this.timer !== null) clearTimeout(this.timer)
    const [first] = this.heap
    const waitMs = first === undefined ? null : Math.max(0, first.atMs - this.now())
    this.timer = waitMs === null ? null : setTimeout(() => this.ring(), Math.min(waitMs, MAX_WAIT_MS))
  }

  private ring(): void {
    this.timer = null
    const nowMs = this.now()
    for (let first = this.heap[0]; first !== undefined && first.atMs <= nowMs; first = this.heap[0]) {
      this.pop()
      if (this.current.get(first.id) !== first) continue
      this.current.delete(first.id)
      this.onDue(first.id)
    }
    this.schedule()
  }

  private rebuild(): void {
    this.heap.length = 0
    for (const alarm of this.current.values()) this.push(alarm)
  }

  private push(alarm: Alarm): void {
    const { heap } = this
    let at = heap.length
    while (at > 0) {
      const parent = (at - 1) >> 1
      const above = heap[parent] as Alarm
      if (above.atMs <= alarm.atMs) break
      heap[at] = above
      at = parent
    }
    heap[at] = alarm
  }

  private pop(): void {
    const { heap } = this
    const last = heap.pop() as Alarm
    const count = heap.length
    if (count === 0) return
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= count) break
      if (child + 1 < count && (heap[child + 1] as Alarm).atMs < (heap[child] as Alarm).atMs) child++
      if ((heap[child] as Alarm).atMs >= last.atMs) break
      heap[at] = heap[child] as Alarm
      at = child
    }
    heap[at] = last
  }
}
