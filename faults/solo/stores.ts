import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createDatabase } from '../database.ts'
import { Gate } from '../gate.ts'
import { messagesLost, on, type Solo, whole } from './place.ts'
import { undisturbed } from './undisturbed.ts'

const GONE_MS = 60_000
const CATCH_UP_MS = 30_000
const SERVER = process.env.TEST_DATABASE_URL ?? ''

/** No book may notice; what was seen meanwhile is written afterwards, or counted as lost. */
const postgresGone: Solo = {
  name: 'PostgreSQL gone for a minute',
  venue: 'both',
  run: async () => {
    const database = await createDatabase(SERVER)
    const gate = await Gate.to(database.url)
    const dataDir = mkdtempSync(join(tmpdir(), 'crossbook-faults-data-'))
    try {
      return await on(
        async (place) => {
          const { gateway, samples } = place
          const before = await whole(place)
          const isWell = async () => (await gateway.health()).history?.state === 'well'
          if (!(await gateway.until(isWell, CATCH_UP_MS))) throw new Error('the database did not open')
          gate.shut()
          await sleep(GONE_MS)
          const failures: string[] = []
          const away = (await gateway.health()).history
          if (away?.state !== 'away') failures.push(`health called the database ${away?.state}`)
          gate.reopen()
          const hasCaughtUp = await gateway.until(async () => {
            const { history } = await gateway.health()
            return history?.state === 'well' && history.lagMs < 2_000
          }, CATCH_UP_MS)
          if (!hasCaughtUp) failures.push('what waited was not written')
          const dropped = (await gateway.health()).history?.dropped
          if (dropped !== 0) failures.push(`${dropped} rows were lost`)
          return undisturbed(before, samples, await messagesLost(place), failures)
        },
        { settings: { HISTORY: 'on', DATABASE_URL: gate.url, DATA_DIR: dataDir } }
      )
    } finally {
      gate.close()
      await database.drop()
      rmSync(dataDir, { recursive: true, force: true })
    }
  }
}

/** Those whose server is here. */
export const STORE_FAULTS: Solo[] = SERVER === '' ? [] : [postgresGone]
/** Those that are left out, and why. */
export const STORE_FAULTS_LEFT_OUT: string[] =
  SERVER === '' ? [`${postgresGone.name} (TEST_DATABASE_URL is not set)`] : []
