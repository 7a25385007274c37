import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'
import { ConfigSchema } from '../schemas/config.ts'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')

/**
 * What each room may import besides itself, npm packages and node's own modules. `schemas/` is for types only in
 * services: there it must be an `import type`, save for settings, whose schema is its meaning.
 */
const MAY_IMPORT: Record<string, string[]> = {
  schemas: [],
  'client/src': [],
  'services/numbers': [],
  'services/orderbook': ['services/numbers'],
  'services/integrity': ['services/orderbook', 'services/numbers'],
  'services/venue': ['services/integrity'],
  'services/kalshi': ['services/venue', 'services/integrity', 'services/orderbook', 'services/numbers'],
  'services/polymarket': ['services/venue', 'services/integrity', 'services/orderbook', 'services/numbers'],
  'services/health': ['services/snapshots', 'services/venue', 'services/integrity', 'schemas'],
  'services/snapshots': ['services/integrity', 'services/orderbook', 'services/numbers', 'schemas'],
  'services/history': [
    'services/snapshots',
    'services/venue',
    'services/kalshi',
    'services/polymarket',
    'services/integrity',
    'services/orderbook',
    'services/numbers',
    'schemas'
  ],
  'services/stream': [
    'services/snapshots',
    'services/venue',
    'services/integrity',
    'services/orderbook',
    'services/numbers',
    'schemas'
  ],
  'services/replication': [
    'services/snapshots',
    'services/venue',
    'services/integrity',
    'services/orderbook',
    'services/numbers',
    'schemas'
  ],
  'services/recycler': ['services/venue', 'services/numbers'],
  simulator: [],
  plugins: ['services', 'schemas'],
  routes: ['services', 'schemas', 'plugins'],
  cli: ['services', 'schemas', 'plugins', 'simulator', 'server.ts', 'app.ts']
}
/** Every room may throw the errors of `services/errors.ts` and name the types of `schemas/`. */
const FOR_ALL_SERVICES = ['services/errors.ts', 'services/settings.ts']

interface Import {
  file: string
  target: string
  typeOnly: boolean
}

function sources(folder: string): string[] {
  return readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('.gen.ts'))
    .map((name) => join(folder, name))
}

function imports(file: string): Import[] {
  const text = readFileSync(join(root, file), 'utf8')
  const named = text.matchAll(/^(?:import|export)\s(type\s)?[^;]*?from\s+'(\.[^']+)'/gms)
  const whole = text.matchAll(/(?:^import |\bimport\()()'(\.[^']+)'/gm)
  return [...named, ...whole].map(([, typeOnly, path]) => ({
    file,
    target: relative(root, resolve(root, dirname(file), path as string)),
    typeOnly: Boolean(typeOnly)
  }))
}

for (const [room, allowed] of Object.entries(MAY_IMPORT)) {
  t.test(`${room} imports only what lies below it`, async (t) => {
    const files = sources(room)
    t.ok(files.length > 0, 'the room exists')
    const inside = (target: string, folder: string) => target === folder || target.startsWith(`${folder}/`)
    const wrong = files.flatMap(imports).filter(({ target, typeOnly }) => {
      if (inside(target, room) || allowed.some((folder) => inside(target, folder))) return false
      if (!room.startsWith('services/')) return true
      return !FOR_ALL_SERVICES.includes(target) && !(typeOnly && inside(target, 'schemas'))
    })
    t.strictSame(
      wrong.map(({ file, target }) => `${file} -> ${target}`),
      []
    )
  })
}

t.test('every room of services has its rule, and none imports what wires it', async (t) => {
  const rooms = readdirSync(join(root, 'services'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => `services/${name}`)
  t.strictSame(
    rooms.filter((room) => MAY_IMPORT[room] === undefined),
    []
  )
  const wiring = sources('services')
    .flatMap(imports)
    .filter(({ target }) => /^(plugins|routes|cli|app\.ts|server\.ts)/.test(target))
  t.strictSame(wiring, [])
})

t.test('a venue’s field names live only in its messages and parsers', async (t) => {
  const own = /\b(market_ticker|yes_dollars_fp|orderbook_fp|price_changes|assets_ids|clobTokenIds)\b/
  const where = ['services', 'plugins', 'routes', 'schemas'].flatMap(sources).filter((file) => {
    return own.test(readFileSync(join(root, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''))
  })
  const outside = where.filter((file) => !/^services\/(kalshi|polymarket)\//.test(file))
  t.strictSame(outside, [])
})

t.test('both venues have the same rooms', async (t) => {
  for (const name of ['auth', 'books', 'discovery', 'feed', 'messages', 'parse', 'rest', 'scan', 'urls']) {
    for (const venue of ['kalshi', 'polymarket']) {
      t.ok(sources(`services/${venue}`).includes(`services/${venue}/${name}.ts`), `${venue}/${name}.ts`)
    }
  }
})

t.test('.env.example and the README list every setting, in the schema’s order', async (t) => {
  const names = Object.keys(ConfigSchema.properties)
  const example = readFileSync(join(root, '.env.example'), 'utf8')
  t.strictSame(
    [...example.matchAll(/^#? ?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name),
    names
  )
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  t.strictSame(
    [...readme.matchAll(/^\| `([A-Z][A-Z0-9_]+)` \|/gm)].map(([, name]) => name),
    names
  )
})
