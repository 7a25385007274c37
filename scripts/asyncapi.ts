/**
 * Writes asyncapi.yaml from the schemas of the stream's messages. With --check it writes nothing, and fails when the file
 * differs from what they say.
 */
import { buildApp } from '../app.ts'
import { readSettings } from '../services/settings.ts'
import { writeOrCheck } from './generated-file.ts'

const app = await buildApp({ config: readSettings({ LOG_LEVEL: 'silent' }), feeds: 'none' })
await app.ready()
const text = app.asyncapiYaml()
await app.close()
await writeOrCheck('asyncapi', text, 'the schemas of the stream say')
