import type { MarketAggregate } from '../schemas/market.ts'
import type { ReplicationHealth } from '../schemas/replication-health.ts'
import { Gateway } from './gateway.ts'
import { VENUES, type Venues } from './venues.ts'

/** Simulated venues, and gateways that share them over one Redis: each a process of its own. */
export class Cluster {
  readonly ingests: Gateway[] = []
  readonly replicas: Gateway[] = []
  private readonly name: string
  private readonly venues: Venues
  private readonly settings: Record<string, string>
  private started = 0

  constructor(name: string, venues: Venues, settings: Record<string, string>) {
    this.name = name
    this.venues = venues
    this.settings = settings
  }

  async addIngest(): Promise<Gateway> {
    const gateway = await this.start('ingest')
    this.ingests.push(gateway)
    return gateway
  }

  async addReplica(): Promise<Gateway> {
    const gateway = await this.start('api')
    this.replicas.push(gateway)
    return gateway
  }

  private start(role: 'ingest' | 'api'): Promise<Gateway> {
    return Gateway.start(`${this.name}-${role}-${++this.started}`, {
      ...this.venues.settings(),
      ...this.settings,
      ROLE: role
    })
  }
}

/** Returns what a gateway says of its part in a cluster. */
export async function replicationOf(gateway: Gateway): Promise<ReplicationHealth> {
  const { replication } = await gateway.health()
  if (replication === null) throw new Error('it takes no part in a cluster')
  return replication
}

/** Returns the markets whose served book is not the true one, with why; the world must stand still. */
export async function untrueBooks(venues: Venues, gateway: Gateway): Promise<string[]> {
  const served = new Map<string, MarketAggregate>()
  for (const one of await gateway.markets()) served.set(one.id, one)
  const wrong: string[] = []
  for (const venue of VENUES)
    for (const truth of await venues.books(venue)) {
      if (truth.status !== 'active') continue
      const one = served.get(`${venue}:${truth.marketId}`)
      if (one === undefined) {
        wrong.push(`${truth.marketId} is not served`)
        continue
      }
      const levels = (side: { price: string; size: string }[]) => side.map(({ price, size }) => [price, size])
      const { bids, asks } = one.orderBook
      const isTrue =
        JSON.stringify([levels(bids), levels(asks)]) ===
        JSON.stringify([truth.bids.slice(0, 100), truth.asks.slice(0, 100)])
      if (!isTrue || one.verdict.state !== 'live')
        wrong.push(
          `${one.id} is ${one.verdict.state} ${one.verdict.reason ?? ''} and ${isTrue ? 'true' : 'not true'}`
        )
    }
  return wrong
}
