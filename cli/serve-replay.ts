import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { buildApp } from '../app.ts'
import type { Config } from '../schemas/config.ts'
import { listenWithGrace } from '../server.ts'
import { RangeInvalidError } from '../services/errors.ts'
import { parseTime } from '../services/history/read/time-range.ts'
import { replayJournal } from '../services/history/replay/replay.ts'
import { ProgressBar } from './progress.ts'
import { UsageError } from './usage.ts'

export interface ReplayRequest {
  /** A DATA_DIR, or the `journal` folder in one. */
  folder: string
  speed: string | undefined
  from: string | undefined
  to: string | undefined
}

/**
 * Serves what a journal holds, as of each instant: before `from` as fast as it goes, from there on at `speed` seconds of
 * record a second, and then the last state. Without a speed all of it goes as fast as it can.
 */
export async function serveReplay(config: Config, { folder, speed, from, to }: ReplayRequest): Promise<void> {
  const fromMs = timeOf('from', from) ?? Number.NEGATIVE_INFINITY
  const toMs = timeOf('to', to) ?? Number.POSITIVE_INFINITY
  if (fromMs >= toMs) throw new UsageError('--from must be before --to')
  const pace = speed === undefined ? null : Number(speed)
  if (pace !== null && !(pace > 0)) throw new UsageError(`--speed must be a number above 0, but is ${speed}`)
  const app = await buildApp({ config, feeds: 'none' })
  const ending = new AbortController()
  app.addHook('onClose', async () => ending.abort())
  await listenWithGrace(app, config)
  const bar = new ProgressBar(`replaying ${folder}`, Number.isFinite(toMs - fromMs) ? toMs - fromMs : 0)
  let doneMs = fromMs
  const report = await replayJournal({
    folder: journalIn(folder),
    fromMs,
    toMs,
    store: app.snapshotStore,
    speed: pace,
    signal: ending.signal,
    onProgress: ({ atMs }) => {
      if (Number.isFinite(doneMs)) bar.advance(Math.max(0, atMs - doneMs))
      doneMs = Math.max(doneMs, atMs)
    }
  })
  bar.done()
  const { records, frames, isComplete, digest, atMs } = report
  if (records === 0) throw new UsageError(`--replay ${folder} holds no journal of that time`)
  app.log.info(
    { records, frames, isComplete, digest, at: new Date(atMs).toISOString() },
    'the journal is replayed; its last state is served'
  )
}

function journalIn(folder: string): string {
  const inside = join(folder, 'journal')
  return existsSync(inside) ? inside : folder
}

function timeOf(name: string, text: string | undefined): number | null {
  if (text === undefined) return null
  try {
    return parseTime(text, `--${name}`)
  } catch (error) {
    if (error instanceof RangeInvalidError) throw new UsageError(error.message)
    throw error
  }
}
