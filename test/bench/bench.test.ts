import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'

const RUN = fileURLToPath(new URL('../../bench/run.mjs', import.meta.url))
const run = promisify(execFile)

t.test('a bench prints one line of JSON a figure, each with what it is measured against', async (t) => {
  const { stdout } = await run(process.execPath, [RUN, 'book', '--quick', '--rounds', '1', '--json'])
  const figures = stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.equal(figures.length, 2)
  for (const figure of figures) {
    t.strictSame(Object.keys(figure), ['bench', 'figure', 'unit', 'against', 'ratio', 'target', 'met'])
    t.match(figure, { bench: 'book', unit: /CPU/, against: /Map.*: [\d.,]+$/, met: Boolean })
    t.ok(figure.figure > 0 && figure.ratio > 0)
    t.match(figure.target, /^ratio <= [\d.]+$/)
  }
})

t.test('a name that no bench has is refused with the names that there are', async (t) => {
  await t.rejects(run(process.execPath, [RUN, 'no-such-bench']), {
    code: 1,
    stderr: /no bench no-such-bench[\s\S]*decode-kalshi/
  })
})
