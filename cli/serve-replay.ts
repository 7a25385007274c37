import { existsSync } from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { buildApp } from '../app.ts'
import replay from '../plugins/replay.ts'
import replayHistory from '../plugins/replay-history.ts'
import { VENUES } from '../schemas/common.ts'
import type { Config } from '../schemas/config.ts'
import { listenWithGrace } from '../server.ts'
import { JournalReader } from '../services/history/journal/reader.ts'
import type { JournalReplay, ReplayProgress } from '../services/history/replay/replay.ts'
import { JOURNAL_FOLDER } from '../services/history/storage/data-dir.ts'
import { ProgressBar } from './progress.ts'
import { timeOption, UsageError } from './usage.ts'

export interface ReplayRequest {
  /** A DATA_DIR, or the `journal` folder in one. */
  folder: string
  speed: string | undefined
  from: string | undefined
  to: string | undefined
}

/**
 * Serves what a journal holds, as of each instant: before `from` as fast as it goes, from there on at `speed` seconds of
 * record a second, and then the last state. Without a speed all of it goes as fast as it can. It is ready from there on.
 */
export async function serveReplay(config: Config, { folder, speed, from, to }: ReplayRequest): Promise<void> {
  const fromMs = timeOption('from', from) ?? Number.NEGATIVE_INFINITY
  const toMs = timeOption('to', to) ?? Number.POSITIVE_INFINITY
  if (fromMs >= toMs) throw new UsageError('--from must be before --to')
  const pace = speed === undefined ? null : Number(speed)
  if (pace !== null && !(pace > 0 && Number.isFinite(pace)))
    throw new UsageError(`--speed must be a number above 0, but is ${JSON.stringify(speed)}`)
  const { journal, dataDir } = placesIn(folder)
  if (!(await holdsRecords(journal, folder, toMs)))
    throw new UsageError(`--replay ${folder} holds no journal of that time`)
  const app = await buildApp({ config, feeds: 'none' })
  let isThere = false
  let doneMs = fromMs
  const lengthMs = toMs - fromMs
  const bar = new ProgressBar(`replaying ${folder}`, lengthMs)
  const onProgress = ({ atMs }: ReplayProgress) => {
    isThere ||= pace !== null && atMs >= fromMs
    // How much of a range without an end is done, nobody knows.
    if (Number.isFinite(lengthMs)) bar.advance(Math.max(0, atMs - doneMs))
    doneMs = Math.max(doneMs, atMs)
  }
  await app.register(replay, { folder: journal, fromMs, toMs, speed: pace, onProgress })
  await app.register(replayHistory, { folder: journal, dataDir })
  app.readyChecks.push(() => (isThere ? null : 'the replay has not come to its start'))
  const unwatch = await listenWithGrace(app, config)
  try {
    const report = await (app.replay as JournalReplay).run()
    bar.done()
    isThere = true
    const { records, frames, holes, isComplete, digest, atMs } = report
    if (records === 0 && (isComplete || holes > 0))
      throw new UsageError(`--replay ${folder} holds nothing that can be read`)
    app.log.info(
      { records, frames, holes, isComplete, digest, at: new Date(atMs).toISOString() },
      'the journal is replayed; its last state is served'
    )
  } catch (error) {
    unwatch()
    await app.close()
    throw error
  }
}

/** Whether a record before a time is in the journals, as far as their indices tell. */
async function holdsRecords(journal: string, folder: string, toMs: number): Promise<boolean> {
  try {
    const spans = await Promise.all(VENUES.map((name) => new JournalReader({ folder: journal, name }).span()))
    return spans.some((span) => span !== null && span.fromMs < toMs)
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    throw new UsageError(`--replay ${folder} cannot be read (${code}): give a DATA_DIR`)
  }
}

/** The journals, and the data folder that they are in; null where they are somewhere else. */
function placesIn(folder: string): { journal: string; dataDir: string | null } {
  const inside = join(folder, JOURNAL_FOLDER)
  if (existsSync(inside)) return { journal: inside, dataDir: folder }
  const whole = resolve(folder)
  return { journal: folder, dataDir: basename(whole) === JOURNAL_FOLDER ? dirname(whole) : null }
}
