import type { BookVersion } from '../simulator/control/book-history.ts'
import type { SimulatorStats } from '../simulator/control/server.ts'
import type { TrueBookView } from '../simulator/control/true-books.ts'
import type { FaultName, FaultParameters, Firings } from '../simulator/faults.ts'
import { gatewaySettings } from '../simulator/gateway-settings.ts'
import type { Simulator } from '../simulator/index.ts'
import type { SimStatus, SimVenue } from '../simulator/model/types.ts'
import { CrossbookProcess } from './process.ts'

export const VENUES = ['kalshi', 'polymarket'] as const

/** What the control port says of one market. */
export interface TrueVersions {
  marketId: string
  status: SimStatus
  versions: BookVersion[]
}

export interface SimulatorState {
  wires: SimulatorStats
  firings: Record<string, Firings & { firstMs: number | null }>
}

export interface WorldSize {
  markets: number
  rate: number
  seed: number
  /** Milliseconds between two listings; 0 for none. */
  churnMs?: number
}

/** Both simulated venues in a process of their own, and their control port. */
export class Venues {
  readonly process: CrossbookProcess
  readonly addresses: Pick<Simulator, 'kalshi' | 'polymarket' | 'controlUrl'>

  private constructor(process: CrossbookProcess, addresses: Venues['addresses']) {
    this.process = process
    this.addresses = addresses
  }

  static async start(name: string, { markets, rate, seed, churnMs = 0 }: WorldSize): Promise<Venues> {
    const args = ['simulate', '--json', '--port', '0', '--markets', String(markets), '--rate', String(rate)]
    const process = new CrossbookProcess(
      name,
      [...args, '--seed', String(seed), '--churn', String(churnMs)],
      {}
    )
    return new Venues(process, JSON.parse(await process.firstLine()))
  }

  /** Asks the control port. @throws with its sentence when it refuses */
  async control<Answer = unknown>(method: string, path: string, body?: object): Promise<Answer> {
    const response = await fetch(`${this.addresses.controlUrl}${path}`, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) })
    })
    const answer = (await response.json()) as Answer & { error?: string }
    if (!response.ok) throw new Error(`${method} ${path}: ${answer.error}`)
    return answer
  }

  state(): Promise<SimulatorState> {
    return this.control('GET', '/state')
  }

  versions(venue: SimVenue): Promise<TrueVersions[]> {
    return this.control('GET', `/versions/${venue}`)
  }

  books(venue: SimVenue): Promise<TrueBookView[]> {
    return this.control('GET', `/books/${venue}`)
  }

  connections(venue: SimVenue): Promise<{ id: number; markets: string[] }[]> {
    return this.control('GET', `/connections/${venue}`)
  }

  async setFault(venue: SimVenue, name: FaultName, parameters: FaultParameters = {}): Promise<void> {
    await this.control('POST', '/faults', { name, venue, ...parameters })
  }

  async clearFault(venue: SimVenue, name: FaultName): Promise<void> {
    await this.control('DELETE', `/faults/${name}?venue=${venue}`)
  }

  /** Lets something happen to one market: `quote`, `hush`, `pause`, `close` and so on. */
  async move(venue: SimVenue, market: string, act: string, body?: object): Promise<void> {
    await this.control('POST', `/markets/${venue}/${encodeURIComponent(market)}/${act}`, body)
  }

  /** Settings of a gateway that reads these venues. */
  settings(): Record<string, string> {
    return gatewaySettings(this.addresses)
  }
}
