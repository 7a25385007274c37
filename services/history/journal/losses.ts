import type { FastifyBaseLogger } from 'fastify'
import type { JournalHole } from './record.ts'
import type { RecordBlock } from './record-block.ts'

export interface LossesOptions {
  /** Of the journal. */
  name: string
  onHole: (hole: JournalHole) => void
  log: Pick<FastifyBaseLogger, 'warn' | 'error'>
}

/** Records that are being lost for one reason. */
interface Episode {
  reason: JournalHole['reason']
  fromMs: number
  toMs: number
  records: number
}

/** Counts lost records; those of one episode become one hole, told when the episode ends and its bounds are known. */
export class Losses {
  /** All lost records. */
  records = 0
  /** Holes told. */
  holes = 0
  /** Holes that the journal itself does not tell of yet, oldest first. */
  readonly unrecorded: JournalHole[] = []
  private readonly options: LossesOptions
  private episode: Episode | null = null

  constructor(options: LossesOptions) {
    this.options = options
  }

  /** Why records are being dropped; null while they are not. */
  get reason(): JournalHole['reason'] | null {
    return this.episode?.reason ?? null
  }

  begin(reason: JournalHole['reason']): void {
    this.end()
    this.episode = { reason, fromMs: Number.POSITIVE_INFINITY, toMs: Number.NEGATIVE_INFINITY, records: 0 }
  }

  /** Counts one record. */
  add(atMs: number): void {
    this.addMany(atMs, atMs, 1)
  }

  /** Counts the records of blocks; the holes that these told of must be recorded again. */
  addBlocks(blocks: readonly RecordBlock[]): void {
    for (const { fromMs, toMs, records, holes } of blocks) {
      this.unrecorded.push(...holes)
      if (records > holes.length) this.addMany(fromMs, toMs, records - holes.length)
    }
  }

  /** Ends the episode, if one is on; without a lost record it was none. */
  end(): void {
    const { episode } = this
    this.episode = null
    if (episode === null || episode.records === 0) return
    const { fromMs, toMs, records, reason } = episode
    const hole = { journal: this.options.name, fromMs, toMs, records, reason }
    this.holes++
    this.unrecorded.push(hole)
    this.tell(hole)
  }

  private tell(hole: JournalHole): void {
    const { onHole, log } = this.options
    log.warn({ hole }, 'the journal has a hole')
    try {
      onHole(hole)
    } catch (error) {
      log.error({ err: error, hole }, 'a hole of the journal could not be told')
    }
  }

  private addMany(fromMs: number, toMs: number, records: number): void {
    this.records += records
    if (this.episode === null) return
    this.episode.records += records
    if (fromMs < this.episode.fromMs) this.episode.fromMs = fromMs
    if (toMs > this.episode.toMs) this.episode.toMs = toMs
  }
}
