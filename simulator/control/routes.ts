import { describeFault, FAULT_CATALOGUE, type FaultParameters, isFaultName } from '../fault-catalogue.ts'
import type { Faults } from '../faults.ts'
import type { SimMarket, SimVenue, World } from '../model/types.ts'
import type { BookHistory } from './book-history.ts'
import { BadRequestError, NotFoundError } from './errors.ts'
import type { SimulatorStats } from './server.ts'
import { viewTrueBook } from './true-books.ts'

export interface ControlRequest {
  world: World
  faults: Faults
  stats: () => SimulatorStats
  followers: () => Record<SimVenue, { id: number; markets: string[] }[]>
  history: BookHistory
  happeningsPerSecond: number
  method: string
  path: string[]
  query: URLSearchParams
  body: Record<string, unknown>
}

const VENUES = ['kalshi', 'polymarket'] as const

/**
 * Does what a control request asks and returns what it answers.
 *
 * @throws {BadRequestError | RangeError | NotFoundError} with one sentence
 */
export function handleControl(request: ControlRequest): unknown {
  const { method, path, world } = request
  const [folder = '', second, third, fourth] = path
  switch (`${method} /${folder}`) {
    case 'GET /state':
      return state(request)
    case 'GET /faults':
      return catalogue()
    case 'POST /faults':
      return setFault(request)
    case 'DELETE /faults':
      return clearFaults(request, second)
    case 'GET /books':
      return third === undefined
        ? world.markets(venueOf(second)).map(viewTrueBook)
        : viewTrueBook(marketOf(world, second, third))
    case 'GET /versions':
      return world.markets(venueOf(second)).map((market) => versions(request, market))
    case 'GET /connections':
      return request.followers()[venueOf(second)]
    case 'GET /markets':
      return world.markets(venueOf(second)).map(summary)
    case 'POST /markets':
      if (third === undefined) return summary(world.list(venueOf(second)))
      return moveMarket(request, marketOf(world, second, third), fourth)
    case 'POST /rate':
      return setRate(request)
    case 'POST /pause':
      world.stop()
      return { running: world.running }
    case 'POST /resume':
      world.start()
      return { running: world.running }
    default:
      throw new NotFoundError(`There is no ${method} /${path.join('/')}.`)
  }
}

function state({ world, faults, stats, happeningsPerSecond }: ControlRequest) {
  const counts = (venue: SimVenue) => {
    const byStatus: Record<string, number> = {}
    for (const { status } of world.markets(venue)) byStatus[status] = (byStatus[status] ?? 0) + 1
    return { happenings: world.happenings(venue), events: world.events(venue).length, markets: byStatus }
  }
  return {
    seed: world.seed,
    now: new Date(world.now()).toISOString(),
    running: world.running,
    rate: world.rate,
    happeningsPerSecond,
    model: { kalshi: counts('kalshi'), polymarket: counts('polymarket') },
    wires: stats(),
    faults: faults.rules(),
    fired: faults.firedCounts(),
    firings: faults.firings()
  }
}

function catalogue() {
  return Object.keys(FAULT_CATALOGUE)
    .filter(isFaultName)
    .map((name) => ({ name, ...describeFault(name) }))
}

/** Without a venue the fault is set on every venue that has it. */
function setFault({ faults, body, world }: ControlRequest) {
  const { name, venue, ...parameters } = body
  if (typeof name !== 'string' || !isFaultName(name)) {
    throw new BadRequestError(
      `"name" must be one of the faults that GET /faults lists, not ${JSON.stringify(name)}.`
    )
  }
  const venues = venue === undefined ? describeFault(name).venues : [venueOf(venue)]
  const { market } = parameters
  if (market !== undefined && !venues.some((one) => world.market(one, String(market)) !== undefined)) {
    throw new BadRequestError(`"market" names no market of ${venues.join(' or ')}.`)
  }
  return venues.map((one) => faults.set(one, name, parameters as FaultParameters))
}

function clearFaults({ faults, query }: ControlRequest, name: string | undefined) {
  if (name === undefined) {
    faults.clearAll()
    return { faults: faults.rules() }
  }
  if (!isFaultName(name)) throw new BadRequestError(`${name} is no fault; GET /faults lists them.`)
  const venue = query.get('venue')
  faults.clear(name, venue === null ? undefined : venueOf(venue))
  return { faults: faults.rules() }
}

function versions({ history }: ControlRequest, market: SimMarket) {
  return { marketId: market.id, status: market.status, versions: history.of(market) }
}

function setRate({ world, body }: ControlRequest) {
  const { perSecond } = body
  if (typeof perSecond !== 'number' || !(perSecond >= 0 && perSecond <= 100_000)) {
    throw new BadRequestError('"perSecond" must be a number from 0 to 100000.')
  }
  world.setRate(perSecond)
  return { rate: world.rate }
}

function moveMarket({ world, body }: ControlRequest, market: SimMarket, act: string | undefined) {
  switch (act) {
    case 'pause':
      world.pause(market)
      break
    case 'resume':
      world.resume(market)
      break
    case 'close':
      world.close(market)
      break
    case 'act':
      return { ...summary(market), happening: world.act(market).kind }
    case 'quote':
      return { ...summary(market), happening: world.quote(market).kind }
    case 'hush':
      world.hush(market)
      break
    case 'wake':
      world.wake(market)
      break
    case 'settle': {
      if (market.status === 'settled') throw new BadRequestError(`${market.id} is settled.`)
      const { result } = body
      if (result !== 'yes' && result !== 'no') throw new BadRequestError('"result" must be "yes" or "no".')
      world.settle(market, result)
      break
    }
    case 'tick':
      world.changeTick(market, tickOf(body))
      break
    default:
      throw new NotFoundError(
        `A market can act, quote, hush, wake, pause, resume, close, settle or tick, not ${act ?? 'nothing'}.`
      )
  }
  return summary(market)
}

function tickOf({ tick }: Record<string, unknown>): number {
  const match = typeof tick === 'string' ? /^0\.(\d{1,4})$/.exec(tick) : null
  if (match === null) throw new BadRequestError('"tick" must be a text such as "0.01" or "0.001".')
  return Number((match[1] ?? '').padEnd(4, '0'))
}

function summary(market: SimMarket) {
  return {
    id: market.id,
    title: market.title,
    status: market.status,
    result: market.result,
    eventId: market.event.id,
    tokens: market.tokens,
    tickE4: market.tickE4,
    twinOf: market.twinOf
  }
}

function venueOf(name: unknown): SimVenue {
  const venue = VENUES.find((one) => one === name)
  if (venue === undefined)
    throw new BadRequestError(`"venue" must be kalshi or polymarket, not ${JSON.stringify(name)}.`)
  return venue
}

function marketOf(world: World, venue: string | undefined, id: string): SimMarket {
  const market = world.market(venueOf(venue), id)
  if (market === undefined) throw new NotFoundError(`${venue} has no market ${id}.`)
  return market
}
