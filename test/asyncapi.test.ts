import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Ajv2020 } from 'ajv/dist/2020.js'
import ajvFormats from 'ajv-formats'
import { chromium } from 'playwright-core'
import t from 'tap'
import { parse } from 'yaml'
import type { AsyncApiDocument } from '../schemas/asyncapi.ts'
import { STREAM_CHANNELS } from '../schemas/stream-commands.ts'
import { build } from './helper.ts'

const text = readFileSync(fileURLToPath(new URL('../asyncapi.yaml', import.meta.url)), 'utf8')
const document: AsyncApiDocument = parse(text)
const { messages, schemas } = document.components

const ajv = new Ajv2020({ strict: false, allErrors: true })
ajvFormats.default(ajv)
ajv.addSchema(document, 'asyncapi')

t.test('asyncapi.yaml is what the schemas of the stream say', async (t) => {
  const app = await build(t)
  t.ok(app.asyncapiYaml() === text, 'else run npm run asyncapi')
  t.equal((await app.inject('/asyncapi.yaml')).body, text)
  t.same((await app.inject('/asyncapi.json')).json(), document)
})

t.test('every message has words and examples, and every example matches its schema', async (t) => {
  for (const [name, { summary, payload, examples }] of Object.entries(messages)) {
    t.ok(summary, `${name} is described`)
    t.ok(examples.length > 0, `${name} has an example`)
    const validate = ajv.compile({ $ref: `asyncapi${payload.$ref}` })
    for (const example of examples)
      t.ok(validate(example.payload), `${name}: ${ajv.errorsText(validate.errors)}`)
    const { properties = {} } = schemas[payload.$ref.split('/').at(-1) as string] ?? {}
    for (const [field, { $ref, const: constant, description }] of Object.entries(properties))
      t.ok($ref ?? constant ?? description, `${name}.${field} is described`)
  }
  for (const [name, { examples = [] }] of Object.entries(schemas)) {
    const validate = ajv.compile({ $ref: `asyncapi#/components/schemas/${name}` })
    for (const example of examples) t.ok(validate(example), `${name}: ${ajv.errorsText(validate.errors)}`)
  }
})

t.test('every reference leads somewhere, and every channel of ours is named', async (t) => {
  const references = [...text.matchAll(/\$ref: "#\/([^"]+)"/g)].map(([, path]) => path as string)
  for (const path of new Set(references)) {
    const found = path
      .split('/')
      .reduce<unknown>((at, key) => (at as Record<string, unknown> | undefined)?.[key], document)
    t.ok(found, path)
  }
  for (const channel of STREAM_CHANNELS) t.match(text, `- "${channel}"`)
})

const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'

t.test('/docs/stream is a page with every message, made of nothing but itself', async (t) => {
  const app = await build(t)
  const { body, headers } = await app.inject('/docs/stream')
  t.match(headers['content-type'], 'text/html')
  for (const name of Object.keys(messages)) t.match(body, `id="message-${name}"`)
  t.notMatch(body, /<script|<img|(src|href)="https?:/, 'no script, nothing from elsewhere')
  for (const [, target] of body.matchAll(/href="#([^"]+)"/g)) t.match(body, `id="${target}"`)
})

t.test(
  '/docs/stream is shown by a browser without a complaint',
  { skip: existsSync(CHROMIUM) ? false : `there is no Chromium at ${CHROMIUM}: set CHROMIUM_PATH` },
  async (t) => {
    const app = await build(t)
    const address = await app.listen({ port: 0, host: '127.0.0.1' })
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    t.teardown(() => browser.close())
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    await page.goto(`${address}/docs/stream`)
    t.equal(await page.locator('article[id^="message-"]').count(), Object.keys(messages).length)
    t.same(
      complaints.filter((one) => !one.includes('favicon')),
      []
    )
  }
)
