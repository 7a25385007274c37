// Runs tap and closes with a plain count of tests, which is what people and CI look for.
import { spawn } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const tap = fileURLToPath(new URL('../node_modules/tap/dist/esm/run.mjs', import.meta.url))
const child = spawn(process.execPath, [tap, ...process.argv.slice(2)], {
  stdio: ['inherit', 'pipe', 'inherit']
})

let totals = null
for await (const line of createInterface({ input: child.stdout })) {
  console.log(line)
  const found = /^# \{(.*)\}$/.exec(line.trim())
  if (found !== null) totals = found[1]
}
const code = child.exitCode ?? (await new Promise((resolve) => child.once('close', resolve)))
const count = (name) => Number(new RegExp(`${name}: (\\d+)`).exec(totals ?? '')?.[1] ?? 0)
console.log(`${count('pass')} passed, ${count('fail')} failed, ${count('skip')} skipped`)
process.exitCode = totals === null ? 1 : code
