/**
 * Writes client/src/messages.gen.ts from the schemas of the stream: the client has their types and imports nothing of the
 * gateway. With --check it writes nothing, and fails when the file differs from what the schemas say.
 */
import { readFile, writeFile } from 'node:fs/promises'
import openapiTS, { astToString } from 'openapi-typescript'
import { COMPONENT_SCHEMAS } from '../schemas/components.ts'
import { STREAM_SCHEMAS } from '../schemas/stream.ts'

const FILE = new URL('../client/src/messages.gen.ts', import.meta.url)
const HEADER = '/** Written by `npm run client` from the schemas of the gateway: do not edit. */\n\n'

type Json = null | boolean | number | string | Json[] | { [key: string]: Json }
type JsonObject = { [key: string]: Json }

const known = new Map<string, JsonObject>()
for (const schema of [...COMPONENT_SCHEMAS, ...STREAM_SCHEMAS])
  known.set(schema.$id, JSON.parse(JSON.stringify(schema)) as JsonObject)

/** Returns a schema as a component: names of others become pointers, and are taken along. */
function component(value: Json, taken: Map<string, Json>): Json {
  if (Array.isArray(value)) return value.map((one) => component(one, taken))
  if (typeof value !== 'object' || value === null) return value
  const { $id: _id, examples: _examples, $ref, ...rest } = value
  if (typeof $ref !== 'string')
    return Object.fromEntries(Object.entries(rest).map(([key, one]) => [key, component(one, taken)]))
  take($ref, taken)
  return { ...rest, $ref: `#/components/schemas/${$ref}` }
}

function take(name: string, taken: Map<string, Json>): void {
  if (taken.has(name)) return
  const schema = known.get(name)
  if (schema === undefined) throw new Error(`no schema is named ${name}`)
  taken.set(name, null)
  taken.set(name, component(schema, taken))
}

const taken = new Map<string, Json>()
for (const { $id } of STREAM_SCHEMAS) take($id, taken)
const names = [...taken.keys()].sort()

const document = {
  openapi: '3.1.0',
  info: { title: 'Crossbook stream', version: '1' },
  paths: {},
  components: { schemas: Object.fromEntries(names.map((name) => [name, taken.get(name)])) }
}
const types = astToString(await openapiTS(JSON.stringify(document), { silent: true }))
const start = types.indexOf('export interface components')
const end = types.indexOf('export type $defs')
const aliases = names.map((name) => `export type ${name} = components['schemas']['${name}']\n`)
const text = HEADER + types.slice(start, end) + aliases.join('')

if (!process.argv.includes('--check')) await writeFile(FILE, text)
else if ((await readFile(FILE, 'utf8').catch(() => '')) !== text) {
  console.error('client/src/messages.gen.ts is not what the schemas say: run npm run client')
  process.exitCode = 1
}
