import { parseArgs } from 'node:util'
import type { SimVenue } from '../simulator/model/types.ts'
import { Gateway } from './gateway.ts'
import { isOnlyDoubt } from './judge.ts'
import { Lane, type Row } from './lane.ts'
import { logFolder } from './process.ts'
import { Sampler } from './sample.ts'
import { AUDIT_PERIOD_MS, DISCOVERY_MS, type Scenario } from './scenario.ts'
import { scenariosOf } from './scenarios/index.ts'
import { runSolo, SOLO } from './solo/index.ts'
import { STORE_FAULTS_LEFT_OUT } from './solo/stores.ts'
import { lineOf, tableOf } from './table.ts'
import { VENUES, Venues } from './venues.ts'

const USAGE = `Usage: npm run faults -- [NAME...] [options]

Makes every fault happen to the whole gateway and tells what came of it. A NAME is a part of a fault's name.

  --venue V    faults of one venue only: kalshi or polymarket
  --list       name the faults and do nothing
  --again      faults at which nothing failed but that right books were doubted are tried once more, on fresh
               processes; both outcomes are told
  --json       the same as data
  --help       this text`

const MARKETS = 60
const RATE = 200
const SEED = 7
/** Faults mostly wait, so several gateways with their venues go through them side by side. */
const WORLDS = 2
/** So that Polymarket has neighbours that a fault of one connection must not disturb. */
const ASSETS_PER_CONNECTION = 30

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    venue: { type: 'string' },
    list: { type: 'boolean', default: false },
    again: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false }
  }
})

const isWanted = ({ name, venue }: { name: string; venue: string }) =>
  (positionals.length === 0 || positionals.some((part) => name.includes(part))) &&
  (values.venue === undefined || venue === 'both' || venue === values.venue)

interface Share {
  venue: SimVenue
  scenarios: Scenario[]
}

const lanes: Share[] = VENUES.map((venue) => ({ venue, scenarios: scenariosOf(venue).filter(isWanted) }))
const solos = SOLO.filter(isWanted)

if (values.help) console.log(USAGE)
else if (values.list)
  for (const { name, venue } of [...lanes.flatMap((lane) => lane.scenarios), ...solos])
    console.log(`${venue} ${name}`)
else process.exitCode = (await main()) ? 0 : 1

async function main(): Promise<boolean> {
  const startedMs = performance.now()
  const rows: Row[] = []
  const note = (row: Row) => {
    rows.push(row)
    console.error(lineOf(row))
  }
  // The faults of single processes have processes of their own, so they run beside those of the long-lived gateways.
  const worlds = Array.from({ length: WORLDS }, (_, world) => runWorld(world, shareOf(world), note))
  await Promise.all([...worlds, runSolo(solos, note)])
  if (values.again) await onceMore(rows)
  const order = [...lanes.flatMap((lane) => lane.scenarios), ...solos].map(
    ({ venue, name }) => `${venue} ${name}`
  )
  rows.sort((a, b) => order.indexOf(`${a.venue} ${a.name}`) - order.indexOf(`${b.venue} ${b.name}`))
  const failed = rows.filter(({ failures }) => failures.length > 0)
  const seconds = Math.round((performance.now() - startedMs) / 1_000)
  const auditMs = AUDIT_PERIOD_MS
  if (values.json)
    console.log(
      JSON.stringify({
        seconds,
        auditPeriodMs: auditMs,
        rows,
        leftOut: STORE_FAULTS_LEFT_OUT,
        logs: logFolder()
      })
    )
  else {
    console.log(`\n${tableOf(rows, positionals.length === 0 ? STORE_FAULTS_LEFT_OUT : [])}\n`)
    console.log(
      `${rows.length - failed.length} of ${rows.length} as they must be, in ${seconds} s; logs in ${logFolder()}`
    )
    console.log(`One audit period is ${auditMs / 1_000} s here. Looks from outside come every 250 ms.`)
    // Once more at the end, which is what is left of a long output.
    for (const row of failed) console.log(lineOf(row))
  }
  return rows.length > 0 && failed.length === 0
}

function shareOf(world: number): Share[] {
  return lanes.map(({ venue, scenarios }) => ({
    venue,
    scenarios: scenarios.filter((_, i) => i % WORLDS === world)
  }))
}

/** Tries what only doubted right books on fresh processes; the row tells of both times. */
async function onceMore(rows: Row[]): Promise<void> {
  const doubtful = (venue: string, name: string) =>
    rows.findIndex((row) => row.venue === venue && row.name === name && isOnlyDoubt(row))
  const note = (row: Row) => {
    const index = doubtful(row.venue, row.name)
    const first = (rows[index] as Row).failures
    rows[index] = { ...row, first }
    console.error(`once more, ${lineOf(row)}`)
  }
  const shares = lanes.map(({ venue, scenarios }) => ({
    venue,
    scenarios: scenarios.filter(({ name }) => doubtful(venue, name) >= 0)
  }))
  await runWorld(WORLDS, shares, note)
  await runSolo(
    solos.filter(({ venue, name }) => doubtful(venue, name) >= 0),
    note
  )
}

/** A gateway with its venues, on which a share of the faults is tried: one venue's beside the other's. */
async function runWorld(world: number, shares: readonly Share[], note: (row: Row) => void): Promise<void> {
  if (shares.every(({ scenarios }) => scenarios.length === 0)) return
  const venues = await Venues.start(`venues-${world}`, { markets: MARKETS, rate: RATE, seed: SEED + world })
  const gateway = await Gateway.start(`gateway-${world}`, {
    ...venues.settings(),
    AUDIT_PERIOD_MS: String(AUDIT_PERIOD_MS),
    REDISCOVERY_INTERVAL_MS: String(DISCOVERY_MS),
    POLYMARKET_ASSETS_PER_CONNECTION: String(ASSETS_PER_CONNECTION)
  })
  const sampler = new Sampler(gateway, venues)
  try {
    if (!(await gateway.untilReady())) throw new Error('the gateway did not get ready')
    sampler.start()
    await Promise.all(
      shares.map(async ({ venue, scenarios }) => {
        const lane = new Lane(venue, venues, gateway, sampler)
        for (const scenario of scenarios) note(await lane.run(scenario))
      })
    )
  } finally {
    await sampler.stop()
    await gateway.process.stop()
    await venues.process.stop()
  }
}
