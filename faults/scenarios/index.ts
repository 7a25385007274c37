import type { SimVenue } from '../../simulator/model/types.ts'
import { complete, type Scenario } from '../scenario.ts'
import { deltaFaults } from './deltas.ts'
import { frameFaults } from './frames.ts'
import { kalshiOnly } from './kalshi.ts'
import { marketFaults } from './markets.ts'
import { polymarketOnly } from './polymarket.ts'
import { restFaults } from './rest.ts'
import { socketFaults } from './sockets.ts'

/** Returns what is run on one venue, one after the other. */
export function scenariosOf(venue: SimVenue): Scenario[] {
  const kinds = [deltaFaults, socketFaults, frameFaults, marketFaults, restFaults]
  const own = venue === 'kalshi' ? kalshiOnly() : polymarketOnly()
  return [...kinds.flatMap((kind) => kind(venue)), ...own].map((draft) => complete(draft, venue))
}
