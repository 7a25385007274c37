import { parseArgs } from 'node:util'
import { BENCHES } from './benches.ts'
import type { Figure } from './figure.ts'
import { canPin } from './harness/child-process.ts'
import { lineOf, tableOf } from './report.ts'

const USAGE = `Usage: npm run bench -- [NAME] [--json] [--rounds N] [--quick]

Measures Crossbook against physical limits and naive peers, in interleaved rounds, and prints medians.

  NAME        one of ${Object.keys(BENCHES).join(', ')}; all of them without it
  --json      one line of JSON a figure, and nothing else on stdout
  --rounds N  rounds of each comparison (5)
  --quick     short rounds and small worlds: the figures are rough`

const ROUNDS = 5
const QUICK_ROUNDS = 2

try {
  await main()
} catch (error) {
  console.error(`bench: ${error instanceof Error ? error.message : String(error)}`)
  process.exitCode = 1
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      json: { type: 'boolean', default: false },
      quick: { type: 'boolean', default: false },
      rounds: { type: 'string' },
      help: { type: 'boolean', default: false, short: 'h' }
    }
  })
  if (values.help) {
    console.log(USAGE)
    return
  }
  const rounds = values.rounds === undefined ? (values.quick ? QUICK_ROUNDS : ROUNDS) : Number(values.rounds)
  if (!Number.isSafeInteger(rounds) || rounds < 1)
    throw new Error(`--rounds must be a whole number from 1, but is ${JSON.stringify(values.rounds)}`)
  const names = positionals.length > 0 ? positionals : Object.keys(BENCHES)
  for (const name of names) if (!(name in BENCHES)) throw new Error(`there is no bench ${name}\n\n${USAGE}`)

  if (values.quick) console.error('quick: short rounds and small worlds, the figures are rough')
  if (!canPin) console.error('no taskset or only one core: load and measured process share what there is')
  const figures: Figure[] = []
  for (const name of names as (keyof typeof BENCHES)[]) {
    const found = await BENCHES[name]({
      rounds,
      quick: values.quick,
      progress: (text) => progress(`${name}: ${text}`)
    })
    progress('')
    figures.push(...found)
    if (values.json) for (const figure of found) console.log(lineOf(figure))
  }
  if (!values.json) console.log(tableOf(figures))
}

/** One line that is written over, for whoever watches. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}
