import type { FastifyBaseLogger } from 'fastify'
import type { Config } from '../../schemas/config.ts'
import { pruneJournal } from './journal/prune.ts'
import type { Opening } from './opening.ts'

export interface PrunerOptions {
  /** Of the journals. */
  folder: string
  settings: Pick<
    Config,
    'JOURNAL_RETENTION_HOURS' | 'JOURNAL_MAX_MB' | 'SNAPSHOT_RETENTION_DAYS' | 'SNAPSHOT_THIN_AFTER_HOURS'
  >
  opening: Pick<Opening, 'opened' | 'store'>
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  now: () => number
}

const HOUR_MS = 3_600_000
const MEGABYTE = 1_000_000
const EVERY_MS = 600_000
/** After the database was opened: a gateway that is restarted more often than that still deletes what is old. */
const FIRST_AFTER_MS = 2_000

/** Deletes old segments of the journals and old rows, and thins snapshots, as the settings say. */
export class Pruner {
  private readonly options: PrunerOptions
  private timer: NodeJS.Timeout | null = null
  private firstTimer: NodeJS.Timeout | null = null

  constructor(options: PrunerOptions) {
    this.options = options
  }

  start(): void {
    this.timer = setInterval(() => void this.prune(), EVERY_MS).unref()
    const pruneSoon = () => {
      this.firstTimer = setTimeout(() => void this.prune(), FIRST_AFTER_MS).unref()
    }
    // Stopped before it was open: there is nothing to delete from.
    this.options.opening.store.then(pruneSoon, () => {})
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    if (this.firstTimer !== null) clearTimeout(this.firstTimer)
  }

  private async prune(): Promise<void> {
    const { folder, settings, opening, log, now } = this.options
    const nowMs = now()
    try {
      const { deleted } = await pruneJournal({
        folder,
        maxAgeMs: settings.JOURNAL_RETENTION_HOURS * HOUR_MS,
        maxBytes: settings.JOURNAL_MAX_MB * MEGABYTE,
        nowMs
      })
      const rows = await opening.opened?.prune({
        deleteBeforeMs: nowMs - settings.SNAPSHOT_RETENTION_DAYS * 24 * HOUR_MS,
        thinBeforeMs: nowMs - settings.SNAPSHOT_THIN_AFTER_HOURS * HOUR_MS
      })
      if (deleted.length > 0 || (rows ?? 0) > 0)
        log.info({ segments: deleted.length, rows }, 'old history was deleted')
    } catch (error) {
      log.warn({ error: String(error) }, 'old history could not be deleted: it is tried again')
    }
  }
}
