import { parseArgs } from 'node:util'
import { fuzz } from './run.ts'

const USAGE = `Usage: npm run fuzz -- [options]

Feeds the parsers and books of both venues with real frames and spoilt ones.

  --frames N   spoilt frames, half of them for each venue (1000000)
  --seed N     the same seed spoils the same frames in the same way (1)
  --json       the result as data
  --help       this text`

const { values } = parseArgs({
  options: {
    frames: { type: 'string', default: '1000000' },
    seed: { type: 'string', default: '1' },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})
const frames = Number(values.frames)
const seed = Number(values.seed)

if (values.help) console.log(USAGE)
else if (!Number.isSafeInteger(frames) || frames < 2 || !Number.isSafeInteger(seed)) {
  console.error(USAGE)
  process.exitCode = 1
} else {
  const startedMs = performance.now()
  const results = (['kalshi', 'polymarket'] as const).map((venue) =>
    fuzz({
      venue,
      frames: Math.ceil(frames / 2),
      seed,
      progress: (done) => progress(`${venue}: ${done} frames`)
    })
  )
  progress('')
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  if (values.json) console.log(JSON.stringify({ seconds, seed, results }))
  else {
    for (const { venue, mutated, applied, ignoredReasons, heapGrownBytes, failures, ...result } of results) {
      console.log(
        `${venue}: ${result.frames} frames, ${mutated} spoilt, ${applied} applied, the rest ignored for ` +
          `${ignoredReasons} reasons; heap ${(heapGrownBytes / 1e6).toFixed(1)} MB more; ${failures.length} failures`
      )
      for (const failure of failures) console.log(`  ${failure.slice(0, 600)}`)
    }
    console.log(`${seconds} s, seed ${seed}`)
  }
  if (results.some(({ failures }) => failures.length > 0)) process.exitCode = 1
}

function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${text}`)
}
