/**
 * Writes openapi.yaml from the routes' schemas, with no network and no venue. With --check it writes nothing, and
 * fails when the file differs from what the routes say.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { buildApp } from '../app.ts'
import { readSettings } from '../services/settings.ts'

const FILE = new URL('../openapi.yaml', import.meta.url)

const app = await buildApp({ config: readSettings({ LOG_LEVEL: 'silent' }), feeds: 'none' })
await app.ready()
const text = app.openapiYaml()
await app.close()

if (!process.argv.includes('--check')) await writeFile(FILE, text)
else if ((await readFile(FILE, 'utf8').catch(() => '')) !== text) {
  console.error('openapi.yaml is not what the routes say: run npm run openapi')
  process.exitCode = 1
}
