import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import t from 'tap'

const MODULE = new URL('../../services/full-collections.ts', import.meta.url).href

/** Returns by what V8 lets a heap of some 60 MB grow after each of three full collections, as V8 itself says it. */
async function growth(module: string): Promise<number[]> {
  const code = `
    ${module === '' ? '' : `await import(${JSON.stringify(module)})`}
    globalThis.held = Array.from({ length: 500_000 }, (_, i) => ({ i, list: [i] }))
    for (let i = 0; i < 3; i++) globalThis.gc()`
  const args = ['--expose-gc', '--trace-gc-verbose', '--import', 'tsx', '--input-type=module', '-e', code]
  const { stdout } = await promisify(execFile)(process.execPath, args, { maxBuffer: 1 << 26 })
  const factors = [...stdout.matchAll(/\[HeapController\] Limit: .* \((\d+\.\d)\)/g)].map(([, by]) =>
    Number(by)
  )
  return factors.slice(-3)
}

t.test('the heap may double before the next full collection', async (t) => {
  t.strictSame(await growth(MODULE), [2, 2, 2])
  t.notMatch(await growth(''), [2, 2, 2], 'which V8 does not do by itself')
})
