import type { StreamTrade } from './messages.gen.ts'
import { Reader } from './reader.ts'

export interface TradeUpdate {
  trade: StreamTrade
  /** True: trades before this one are missing; `GET /v1/markets/{id}/trades` has them, where history is on. */
  isAfterGap: boolean
}

interface Place {
  reader: Reader<TradeUpdate>
  /** Oldest first, from `first` on. */
  waiting: TradeUpdate[]
  first: number
  isAfterGap: boolean
}

/**
 * The trades of one subscription, for any number of readers. A reader that takes too few of them loses the oldest that wait,
 * and is told with the next one.
 */
export class TradeQueue {
  readonly hasState = false
  private readonly limit: number
  private readonly onDropped: () => void
  private readonly places = new Set<Place>()

  /** At most `limit` trades wait for one reader. */
  constructor(limit: number, onDropped: () => void) {
    this.limit = limit
    this.onDropped = onDropped
  }

  open(onEnd: () => void): Reader<TradeUpdate> {
    const place: Place = {
      reader: new Reader(
        () => take(place),
        () => {
          this.places.delete(place)
          onEnd()
        }
      ),
      waiting: [],
      first: 0,
      isAfterGap: false
    }
    this.places.add(place)
    return place.reader
  }

  get readers(): number {
    return this.places.size
  }

  told(trades: readonly StreamTrade[]): void {
    for (const place of [...this.places]) {
      for (const trade of trades) this.add(place, trade)
      place.reader.wake()
    }
  }

  line(_isUp: boolean): void {}

  /** Trades are lost to this subscription. */
  lag(): void {
    for (const place of this.places) place.isAfterGap = true
  }

  voided(): void {
    this.lag()
  }

  whole(): void {}

  end(failure: { error: unknown } | null): void {
    for (const { reader } of [...this.places]) reader.end(failure)
  }

  private add(place: Place, trade: StreamTrade): void {
    const { waiting, isAfterGap } = place
    waiting.push({ trade, isAfterGap })
    place.isAfterGap = false
    if (waiting.length - place.first <= this.limit) return
    place.first++
    this.onDropped()
    const oldest = waiting[place.first]
    if (oldest === undefined) place.isAfterGap = true
    else oldest.isAfterGap = true
    compact(place)
  }
}

function take(place: Place): TradeUpdate | undefined {
  const update = place.waiting[place.first]
  if (update === undefined) return undefined
  place.first++
  compact(place)
  return update
}

/** Frees what was taken, now and then: each time would move everything that waits. */
function compact(place: Place): void {
  const { waiting, first } = place
  if (first < COMPACT_AT && first < waiting.length) return
  if (first < waiting.length / 2) return
  waiting.splice(0, first)
  place.first = 0
}

const COMPACT_AT = 1_000
