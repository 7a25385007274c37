import type { Test } from 'tap'
import { createDatabase } from '../faults/database.ts'

/** A database that a test may fill: `databaseUrl` is what DATABASE_URL says, empty for PGlite in the data folder. */
export interface Engine {
  engine: 'pglite' | 'postgres'
  databaseUrl: string
}

/** The PostgreSQL server that tests may use; empty where there is none. */
export const SERVER = process.env.TEST_DATABASE_URL ?? ''

/** What to give as `skip` for a test that needs a server. */
export const withoutServer = SERVER === '' ? 'TEST_DATABASE_URL is not set' : false

/** Runs a test on PGlite and, where there is a server, again on a fresh database of PostgreSQL. */
export async function onEachEngine(
  t: Test,
  test: (t: Test, engine: Engine) => Promise<unknown> | undefined
): Promise<void> {
  await t.test('on PGlite', async (t) => test(t, { engine: 'pglite', databaseUrl: '' }))
  await t.test('on PostgreSQL', { skip: withoutServer }, async (t) =>
    test(t, { engine: 'postgres', databaseUrl: await freshDatabase(t) })
  )
}

/** Returns the URL of a database that is there until the test ends. */
export async function freshDatabase(t: Test): Promise<string> {
  const { url, drop } = await createDatabase(SERVER)
  t.teardown(drop)
  return url
}
