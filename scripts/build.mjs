// What `npm start` runs: all sources in a few files, since a start that reads 1,300 takes 0.7 s longer.
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

/** Packages of hundreds of small modules go in as well; all others stay what npm installs. */
const PACKED = ['typebox', 'kysely']
const LICENSES = 'LICENSES.txt'
const root = fileURLToPath(new URL('..', import.meta.url))
const { dependencies } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))

const { outputFiles } = await build({
  absWorkingDir: root,
  // A worker is a file of its own beside the chunk that starts it.
  entryPoints: { crossbook: 'cli/main.ts', 'pglite-worker': 'services/history/storage/pglite-worker.mjs' },
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  splitting: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  external: Object.keys(dependencies).filter((name) => !PACKED.includes(name)),
  sourcemap: true,
  sourcesContent: false,
  write: false,
  logLevel: 'warning'
})
const licenses = PACKED.map((name) => {
  const folder = join(root, 'node_modules', name)
  const file = readdirSync(folder).find((path) => /^licen[cs]e/i.test(path))
  if (file === undefined) throw new Error(`${name} has no licence to go with it`)
  return `${name}\n\n${readFileSync(join(folder, file), 'utf8')}`
})
const made = new Map([
  ...outputFiles.map(({ path, contents }) => [basename(path), Buffer.from(contents)]),
  [LICENSES, Buffer.from(licenses.join('\n'))]
])

// Only now, since a build that failed leaves the one before as it was; and whole files at once, since it may be starting.
const dist = join(root, 'dist')
mkdirSync(dist, { recursive: true })
for (const [name, contents] of made) {
  const path = join(dist, name)
  if (existsSync(path) && readFileSync(path).equals(contents)) continue
  writeFileSync(`${path}.new`, contents)
  renameSync(`${path}.new`, path)
}
for (const path of readdirSync(dist)) if (!made.has(path)) rmSync(join(dist, path), { recursive: true })
