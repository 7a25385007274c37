import { setTimeout as sleep } from 'node:timers/promises'
import { History } from '../../services/history/history.ts'
import type { SnapshotStore } from '../../services/snapshots/store.ts'
import type { HistoryPlace } from './engines.ts'

const OPEN_LIMIT_MS = 60_000

/** Records all that a store serves, with the usual settings, in a place; resolves once its database is open. */
export async function startRecording(
  store: SnapshotStore,
  { dataDir, databaseUrl }: HistoryPlace
): Promise<History> {
  const history = new History({
    store,
    settings: {
      DATA_DIR: dataDir,
      DATABASE_URL: databaseUrl,
      HISTORY_FLUSH_MS: 1_000,
      HISTORY_QUEUE_MAX: 50_000,
      GAP_FILL_INTERVAL_MS: 300_000,
      JOURNAL_RETENTION_HOURS: 168,
      JOURNAL_MAX_MB: 20_480,
      SNAPSHOT_RETENTION_DAYS: 30,
      SNAPSHOT_THIN_AFTER_HOURS: 24
    },
    venues: ['kalshi'],
    fetchTrades: async () => null,
    fetchCandles: async () => null,
    followed: () => null,
    log: { info() {}, warn() {}, error: (...what: unknown[]) => console.error(...what) }
  })
  await history.start()
  const giveUpAt = performance.now() + OPEN_LIMIT_MS
  while (history.status().engine === null) {
    if (performance.now() > giveUpAt)
      throw new Error(`the history did not open: ${history.status().openError}`)
    await sleep(20)
  }
  return history
}
