/** Below this many taken rows the memory they leave is not worth a copy. */
const TRIM_AT = 4_096

/**
 * Rows in the order in which they came, each with when it did. A row can be taken out anywhere: its number, which is
 * never another row's, stays empty.
 */
export class RowRing<Row> {
  /** Rows that wait; those taken out do not count. */
  size = 0
  private rows: (Row | undefined)[] = []
  private times: number[] = []
  /** Where the oldest row is in `rows`; everything before it is gone. */
  private head = 0
  /** Number of the row at `rows[0]`. */
  private base = 0

  /** When the oldest waiting row came; NaN when none waits. */
  get oldestAt(): number {
    return this.times[this.head] ?? Number.NaN
  }

  /** Returns the number of the row, by which it can be taken out. */
  push(row: Row, at: number): number {
    this.rows.push(row)
    this.times.push(at)
    this.size++
    return this.base + this.rows.length - 1
  }

  /** Returns the number of the first row from `from` on that is wanted, or of the next row to come if there is none. */
  find(from: number, isWanted: (row: Row) => boolean = () => true): number {
    let index = Math.max(this.head, from - this.base)
    for (; index < this.rows.length; index++) {
      const row = this.rows[index]
      if (row !== undefined && isWanted(row)) break
    }
    return this.base + index
  }

  /** Takes one row out; returns it, or undefined if it is not there any more. */
  take(number: number): Row | undefined {
    const index = number - this.base
    const row = this.rows[index]
    if (row === undefined) return undefined
    this.rows[index] = undefined
    this.size--
    if (index === this.head) this.skipEmpty()
    return row
  }

  /** Returns the oldest rows, at most `limit`, which stay; `end` is the number after the last of them. */
  peek(limit: number): { rows: Row[]; end: number } {
    const rows: Row[] = []
    let index = this.head
    for (; index < this.rows.length && rows.length < limit; index++) {
      const row = this.rows[index]
      if (row !== undefined) rows.push(row)
    }
    return { rows, end: this.base + index }
  }

  /** Drops every row before a number. */
  dropBefore(number: number): void {
    for (; this.base + this.head < number; this.head++) {
      if (this.rows[this.head] === undefined) continue
      this.rows[this.head] = undefined
      this.size--
    }
    this.skipEmpty()
  }

  private skipEmpty(): void {
    while (this.head < this.rows.length && this.rows[this.head] === undefined) this.head++
    if (this.head < TRIM_AT || this.head * 2 < this.rows.length) return
    this.rows = this.rows.slice(this.head)
    this.times = this.times.slice(this.head)
    this.base += this.head
    this.head = 0
  }
}
