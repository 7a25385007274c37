import { parseArgs } from 'node:util'
import { runCuts } from './cuts.ts'

const FAST_ENOUGH = 0.9
const USAGE = `Usage: npm run faults:streams -- [options]

Cuts the connections of stream clients while books change, and says whether each was told every change once.

  --clients N   clients side by side (20)
  --cuts N      times that each of them is cut (5)
  --cut-ms N    for so long (5000)
  --rate N      changes a second (500)
  --markets N   that they follow (50)
  --help        this text`

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '20' },
    cuts: { type: 'string', default: '5' },
    'cut-ms': { type: 'string', default: '5000' },
    rate: { type: 'string', default: '500' },
    markets: { type: 'string', default: '50' },
    help: { type: 'boolean', default: false }
  }
})

if (values.help) console.log(USAGE)
else process.exitCode = (await main()) ? 0 : 1

async function main(): Promise<boolean> {
  const plan = {
    clients: Number(values.clients),
    cutsPerClient: Number(values.cuts),
    cutMs: Number(values['cut-ms']),
    changesPerSecond: Number(values.rate),
    markets: Number(values.markets)
  }
  const startedMs = performance.now()
  const result = await runCuts(plan, (line) => console.error(line))
  const seconds = (performance.now() - startedMs) / 1_000
  const { resumed, restarted, made, due, told, duplicates, missing, wrong, caughtUpMaxMs } = result
  const cuts = plan.clients * plan.cutsPerClient
  for (const line of wrong.slice(0, 20)) console.log(line)
  console.log(`cuts ${cuts} of ${plan.cutMs} ms, resumed ${resumed}, begun anew ${restarted}`)
  const perSecond = made / seconds
  console.log(
    `changes ${made} in ${seconds.toFixed(1)} s, ${perSecond.toFixed(0)} a second; due to all clients ${due}, told ${told}`
  )
  console.log(`twice ${duplicates}, missing ${missing}, wrong ${wrong.length}`)
  console.log(`longest catch-up ${caughtUpMaxMs.toFixed(0)} ms`)
  // Slower changes would be easier to keep.
  if (perSecond < plan.changesPerSecond * FAST_ENOUGH) return false
  return resumed === cuts && restarted + duplicates + missing + wrong.length === 0 && told === due
}
