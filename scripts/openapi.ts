/**
 * Writes openapi.yaml from the routes' schemas, with no network and no venue. With --check it writes nothing, and
 * fails when the file differs from what the routes say.
 */
import { buildApp } from '../app.ts'
import { readSettings } from '../services/settings.ts'
import { writeOrCheck } from './generated-file.ts'

const app = await buildApp({ config: readSettings({ LOG_LEVEL: 'silent' }), feeds: 'none' })
await app.ready()
const text = app.openapiYaml()
await app.close()
await writeOrCheck('openapi', text, 'the routes say')
