import { HistoryUnavailableError } from '../../errors.ts'
import { readBookLog } from '../book-log/journal.ts'
import { BookLogReader } from '../book-log/reader.ts'
import type { JournalReader } from '../journal/reader.ts'
import { Opening, type OpeningOptions } from '../opening.ts'
import type { HistoryReader } from '../read/reader.ts'
import type { HistoryStore } from '../records.ts'
import { holdsDatabase } from '../storage/data-dir.ts'
import { HistoryAsOf, type RecordedPast } from './history-as-of.ts'

export interface ReplayHistoryOptions {
  /** Where the journals are. */
  folder: string
  /** Where the database of the same recording may be; null where only journals were given. */
  dataDir: string | null
  /** PostgreSQL to read from, whatever `dataDir` holds; empty for none. */
  databaseUrl: string
  /** Of the replay. */
  now: () => number
  log: OpeningOptions['log']
}

/**
 * The history of a folder that is replayed: the book log beside the journals, and the rows in the database that was
 * recorded into, which is chosen as a gateway chooses it. That is opened in the background, and the books of the replay do
 * not wait for it. Where it is refused, as by a gateway that records there, there are no rows.
 */
export class ReplayHistory implements RecordedPast {
  readonly log: JournalReader
  readonly books: BookLogReader
  private readonly options: ReplayHistoryOptions
  /** Null where there is no database. */
  private readonly opening: Opening | null

  constructor(options: ReplayHistoryOptions) {
    this.options = options
    this.log = readBookLog(options.folder)
    this.books = new BookLogReader(this.log)
    this.opening = openingOf(options)
  }

  /** @throws {HistoryUnavailableError} while the database is not open, and where there is none */
  get store(): HistoryStore {
    if (this.opening === null)
      throw new HistoryUnavailableError(
        'no database is beside the journals that are replayed, and DATABASE_URL is not set: only books can be asked for',
        false
      )
    const { opened, error, hasGivenUp } = this.opening
    if (opened === null) throw new HistoryUnavailableError(error ?? 'it is being opened', !hasGivenUp)
    return opened
  }

  /** False until the database is open, or was tried in vain. */
  get isReady(): boolean {
    return this.opening === null || !this.opening.isUnderWay || this.opening.isReady
  }

  start(): void {
    this.opening?.start()
  }

  /** Closes the database, within a bounded time. */
  async stop(): Promise<void> {
    await this.opening?.close()
  }

  /** Returns what history is read through at the instant that the replay has come to. */
  readerNow(): HistoryReader {
    return new HistoryAsOf(this, Math.floor(this.options.now()))
  }
}

function openingOf({ dataDir, databaseUrl, log }: ReplayHistoryOptions): Opening | null {
  const rest = { log, now: Date.now, steadyNow: performance.now.bind(performance), readsOnly: true }
  if (databaseUrl === '' && (dataDir === null || !holdsDatabase(dataDir))) return null
  const database = databaseUrl === '' ? `PGlite in ${dataDir}` : 'DATABASE_URL'
  log.info({ database }, 'rows of the history are read from here')
  return new Opening({ databaseUrl, dataDir: dataDir ?? '', ...rest })
}
