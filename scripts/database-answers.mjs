// Ends with 0 if the PostgreSQL server of a URL lets us in, else with 1.
import pg from 'pg'

const client = new pg.Client({ connectionString: process.argv[2], connectionTimeoutMillis: 5_000 })
try {
  await client.connect()
  await client.query('select 1')
} catch {
  process.exitCode = 1
} finally {
  await client.end().catch(() => {})
}
