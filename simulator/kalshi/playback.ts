import { type ReplayOptions, replayFrames } from '../replay.ts'
import type { Connection } from './connection.ts'
import type { Subscription } from './subscriptions.ts'

/** The channel of each message type that a recording may hold. */
const CHANNELS = new Map([
  ['orderbook_snapshot', 'orderbook_delta'],
  ['orderbook_delta', 'orderbook_delta'],
  ['ticker', 'ticker'],
  ['trade', 'trade'],
  ['market_lifecycle_v2', 'market_lifecycle_v2'],
  ['multivariate_market_lifecycle', 'multivariate_market_lifecycle']
])

/** How a recorded counter stands to that of the subscription which plays it. */
interface Counter {
  shift: number
  last: number
}

/**
 * Plays a recording to one connection. The connection keeps its own answers to its own commands, so recorded
 * `subscribed` frames are left out, and so are channels that it did not subscribe. The rest goes out byte for
 * byte, but for `sid` and `seq`: both are moved onto the connection's own, holes and repetitions included.
 */
export class Playback {
  readonly #connection: Connection
  readonly #abort = new AbortController()
  readonly #channelOf = new Map<number, string>()
  readonly #counters = new Map<number, Counter>()

  constructor(connection: Connection, options: Pick<ReplayOptions, 'file' | 'speed'>) {
    this.#connection = connection
    replayFrames(options, (text) => this.#play(text), this.#abort.signal).catch(() => connection.close(1011))
  }

  stop(): void {
    this.#abort.abort()
  }

  #play(text: string): void {
    const type = /"type":\s*"([^"]*)"/.exec(text)?.[1]
    const sid = Number(/"sid":\s*(\d+)/.exec(text)?.[1])
    if (type === 'subscribed') {
      const channel = /"channel":\s*"([^"]*)"/.exec(text)?.[1]
      if (channel !== undefined) this.#channelOf.set(sid, channel)
      return
    }
    if (type !== undefined && !Number.isNaN(sid)) {
      const known = CHANNELS.get(type)
      if (known !== undefined) this.#channelOf.set(sid, known)
      const subscription = this.#connection.subscriptions.on(this.#channelOf.get(sid) ?? 'orderbook_delta')
      if (subscription === undefined) return
      this.#connection.write(this.#readdressed(text, sid, subscription))
      return
    }
    this.#connection.write(text)
  }

  #readdressed(text: string, sid: number, subscription: Subscription): string {
    const moved = text.replace(/"sid":\s*\d+/, `"sid":${subscription.sid}`)
    const recorded = Number(/"seq":\s*(\d+)/.exec(text)?.[1])
    if (Number.isNaN(recorded)) return moved
    let counter = this.#counters.get(sid)
    if (counter === undefined) {
      counter = { shift: subscription.seq + 1 - recorded, last: subscription.seq }
      this.#counters.set(sid, counter)
    }
    // Answers to the client's own commands took numbers in between.
    counter.shift += subscription.seq - counter.last
    const seq = recorded + counter.shift
    subscription.seq = seq
    counter.last = seq
    return moved.replace(/"seq":\s*\d+/, `"seq":${seq}`)
  }
}
