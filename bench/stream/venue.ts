import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { formatPrice, ONE_E4 } from '../../services/numbers/decimal.ts'
import { createRandom } from '../../simulator/model/random.ts'
import { answer, startOptions } from '../harness/answer.ts'
import { syntheticBook } from '../synthetic/book.ts'
import { polymarketIds, START_MS } from '../synthetic/polymarket.ts'
import { nowMicros, STAMP_LENGTH, stampOf } from './stamp.ts'

/** What a stand-in sends whose frames say when they were sent. */
export interface StampedVenueOptions {
  markets: number
}

/** Frames that are sent to one gateway, market by market; several plans may run beside each other. */
export interface VenuePlan {
  /** The first so many markets. */
  markets: number
  perSecond: number
  /** Frames that are due leave together, this often. */
  everyMs: number
  /** The best level alone changes, so that each change is a new ticker. */
  isTopOnly: boolean
}

/** A frame, encoded once, with the place of the size in it. */
interface StampedFrame {
  bytes: Buffer
  stampAt: number
}

const WEBSOCKET_GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const MARK = '#'.repeat(STAMP_LENGTH)
/** Levels from the top of each side that change. */
const REACH = 15

/** Sends a gateway new sizes for levels that are there, each with its time as the size. */
class StampedSender {
  private readonly socket: Duplex
  private readonly frames: readonly (readonly StampedFrame[])[]
  private readonly random = createRandom(1)
  private readonly timers: NodeJS.Timeout[] = []

  constructor(socket: Duplex, frames: StampedSender['frames']) {
    this.socket = socket
    this.frames = frames
  }

  run({ markets, perSecond, everyMs, isTopOnly }: VenuePlan): void {
    const startedAt = performance.now()
    let sent = 0
    const send = () => {
      const due = Math.floor(((performance.now() - startedAt) * perSecond) / 1_000)
      const stamped: Buffer[] = []
      const stamp = stampOf(nowMicros())
      for (; sent < due; sent++) {
        const market = this.frames[sent % markets] as readonly StampedFrame[]
        const { bytes, stampAt } = market[isTopOnly ? 0 : this.random.int(market.length)] as StampedFrame
        const copy = Buffer.from(bytes)
        copy.write(stamp, stampAt, 'latin1')
        stamped.push(copy)
      }
      if (stamped.length > 0) this.socket.write(Buffer.concat(stamped))
    }
    this.timers.push(setInterval(send, everyMs))
  }

  stop(): void {
    for (const timer of this.timers.splice(0)) clearInterval(timer)
  }
}

/** Returns the price changes of a market: each another level, best first. */
function framesOf(index: number): StampedFrame[] {
  const { conditionId, yes } = polymarketIds(index)
  const [bids, asks] = syntheticBook(index).sides
  const best = `"best_bid":"${formatPrice(bids.prices[0] as number)}", "best_ask":"${formatPrice(ONE_E4 - (asks.prices[0] as number))}"`
  const frames: StampedFrame[] = []
  for (let i = 0; i < REACH; i++) {
    for (const [side, price] of [
      ['BUY', bids.prices[i] as number],
      ['SELL', ONE_E4 - (asks.prices[i] as number)]
    ] as const) {
      const text =
        `{"market":"${conditionId}", "price_changes":[{"asset_id":"${yes}", "price":"${formatPrice(price)}", ` +
        `"size":"${MARK}", "side":"${side}", "hash":"${createRandom(index).hex(40)}", ${best}}], ` +
        `"timestamp":"${START_MS + 1}", "event_type":"price_change"}`
      const payload = Buffer.from(text)
      const header = Buffer.from([0x81, 126, payload.length >> 8, payload.length & 0xff])
      frames.push({
        bytes: Buffer.concat([header, payload]),
        stampAt: header.length + payload.indexOf(MARK)
      })
    }
  }
  return frames
}

const { markets } = startOptions<StampedVenueOptions>()
const frames = Array.from({ length: markets }, (_, index) => framesOf(index))
const senders = new Map<string, StampedSender>()
const server = createServer()

server.on('upgrade', ({ url = '', headers }, socket) => {
  const key = `${headers['sec-websocket-key']}${WEBSOCKET_GUID}`
  socket.on('error', () => socket.destroy())
  socket.resume()
  socket.write(
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
      `Sec-WebSocket-Accept: ${createHash('sha1').update(key).digest('base64')}\r\n\r\n`
  )
  senders.set(url, new StampedSender(socket, frames))
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

answer(({ run, stop, plans }) => {
  const path = (run ?? stop) as string | undefined
  if (path === undefined) return (server.address() as AddressInfo).port
  const sender = senders.get(path)
  if (sender === undefined) throw new Error(`no gateway is connected to ${path}`)
  if (run === undefined) sender.stop()
  else for (const plan of plans as VenuePlan[]) sender.run(plan)
  return null
})
