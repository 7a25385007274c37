import pg from 'pg'

let created = 0

/** Creates a database of this process's own on a PostgreSQL server; `drop` removes it, whoever is connected. */
export async function createDatabase(serverUrl: string): Promise<{ url: string; drop: () => Promise<void> }> {
  const name = `crossbook_${process.pid}_${++created}`
  const run = async (statement: string) => {
    const client = new pg.Client({ connectionString: serverUrl })
    await client.connect()
    await client.query(statement)
    await client.end()
  }
  await run(`create database ${name}`)
  const url = new URL(serverUrl)
  url.pathname = `/${name}`
  if (url.port === '') url.port = '5432'
  return { url: url.href, drop: () => run(`drop database if exists ${name} with (force)`) }
}
