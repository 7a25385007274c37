import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildApp } from '../app.ts'
import type { Config } from '../schemas/config.ts'
import { listenWithGrace } from '../server.ts'
import { replayJournal } from '../services/history/replay/replay.ts'
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
  const app = await buildApp({ config, feeds: 'none' })
  const ending = new AbortController()
  app.addHook('onClose', async () => ending.abort())
  let isThere = false
  app.readyChecks.push(() => (isThere ? null : 'the replay has not come to its start'))
  const unwatch = await listenWithGrace(app, config)
  const lengthMs = toMs - fromMs
  const bar = new ProgressBar(`replaying ${folder}`, lengthMs)
  let doneMs = fromMs
  const report = await replayJournal({
    folder: journalIn(folder),
    fromMs,
    toMs,
    store: app.snapshotStore,
    speed: pace,
    signal: ending.signal,
    onProgress: ({ atMs }) => {
      isThere ||= pace !== null && atMs >= fromMs
      // How much of a range without an end is done, nobody knows.
      if (Number.isFinite(lengthMs)) bar.advance(Math.max(0, atMs - doneMs))
      doneMs = Math.max(doneMs, atMs)
    }
  })
  bar.done()
  isThere = true
  const { records, frames, isComplete, digest, atMs } = report
  if (records === 0 && isComplete) {
    unwatch()
    await app.close()
    throw new UsageError(`--replay ${folder} holds no journal of that time`)
  }
  app.log.info(
    { records, frames, isComplete, digest, at: new Date(atMs).toISOString() },
    'the journal is replayed; its last state is served'
  )
}

function journalIn(folder: string): string {
  const inside = join(folder, 'journal')
  return existsSync(inside) ? inside : folder
}
