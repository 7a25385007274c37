const WIDTH = 30
const REDRAW_MS = 100

/** A progress bar on standard error: only at a terminal, silent otherwise. */
export class ProgressBar {
  private readonly title: string
  private readonly total: number
  private readonly visible = process.stderr.isTTY === true
  private position = 0
  private drawnAtMs = 0

  constructor(title: string, total: number) {
    this.title = title
    this.total = total
  }

  advance(by: number): void {
    this.position += by
    const nowMs = performance.now()
    if (!this.visible || nowMs - this.drawnAtMs < REDRAW_MS) return
    this.drawnAtMs = nowMs
    const share = this.total === 0 ? 1 : Math.min(1, this.position / this.total)
    const filled = Math.round(share * WIDTH)
    const bar = '█'.repeat(filled) + '░'.repeat(WIDTH - filled)
    process.stderr.write(`\r${bar} ${String(Math.floor(share * 100)).padStart(3)} % ${this.title}`)
  }

  done(): void {
    if (this.visible) process.stderr.write('\r\x1b[2K')
  }
}
