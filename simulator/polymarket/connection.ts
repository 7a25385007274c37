import type { Socket } from 'node:net'
import type { WebSocket } from 'ws'
import { brokenText } from '../broken-text.ts'
import type { Faults } from '../faults.ts'
import type { SimMarket } from '../model/types.ts'
import { spoilPriceChange } from './spoil.ts'

/** A reader that falls this far behind is cut off, as the venue does. */
const MAX_BUFFERED_BYTES = 32 * 1024 * 1024
/** A change that is held back to come out of order waits no longer than this for its successor. */
const MAX_HELD_MS = 1_000

export interface ConnectionCounts {
  framesSent: number
  bytesSent: number
}

/** One client: what it asked for, and the faults that meet its frames. */
export class Connection {
  readonly id: number
  readonly assets = new Set<string>()
  /** Asked for `best_bid_ask`, `new_market` and `market_resolved`. */
  customFeatures = false
  /** Its first frame was a valid subscription. */
  subscribed = false
  /** Neither reads nor writes. */
  frozen = false
  readonly #socket: WebSocket
  readonly #stream: Socket
  readonly #faults: Faults
  readonly #counts: ConnectionCounts
  #held: { text: string; market: string; sinceMs: number } | undefined

  constructor(id: number, socket: WebSocket, stream: Socket, faults: Faults, counts: ConnectionCounts) {
    this.id = id
    this.#socket = socket
    this.#stream = stream
    this.#faults = faults
    this.#counts = counts
    this.freezeOrThaw()
  }

  /** Sends data about a market, unless a fault keeps it back. */
  sendData(text: string, market: SimMarket | null): void {
    if (this.#isMuted(market)) return
    this.sendText(text)
  }

  /** Sends a book change through the faults that drop, double, turn round or spoil one. */
  sendChange(text: string, market: SimMarket): void {
    const faults = this.#faults
    if (this.#isMuted(market)) return
    const place = { market: market.id, connection: this.id }
    if (faults.consume('polymarket', 'drop_delta', place)) return
    const spoilt = spoilPriceChange(text, faults, place)
    if (this.#held === undefined && faults.consume('polymarket', 'reorder_delta', place)) {
      this.#held = { text: spoilt, market: market.id, sinceMs: performance.now() }
      return
    }
    this.sendText(faults.consume('polymarket', 'invalid_utf8', place) ? brokenText(spoilt) : spoilt)
    if (faults.consume('polymarket', 'duplicate_delta', place)) this.sendText(spoilt)
    if (this.#held?.market === market.id) this.releaseHeld(0)
  }

  /** Sends a frame as it is; dropped when the socket is closed or frozen. */
  sendText(text: string | Buffer): void {
    const socket = this.#socket
    if (this.frozen) {
      this.#faults.consume('polymarket', 'half_open', { connection: this.id })
      return
    }
    if (socket.readyState !== socket.OPEN) return
    if (socket.bufferedAmount > MAX_BUFFERED_BYTES) {
      socket.terminate()
      return
    }
    socket.send(text, { binary: false })
    this.#counts.framesSent += 1
    this.#counts.bytesSent += text.length
  }

  /** Sends a held change whose successor did not come. */
  releaseHeld(maxHeldMs = MAX_HELD_MS): void {
    const held = this.#held
    if (held === undefined || performance.now() - held.sinceMs < maxHeldMs) return
    this.#held = undefined
    this.sendText(held.text)
  }

  /** Follows the `half_open` fault, which may come and go. */
  freezeOrThaw(): void {
    const shouldFreeze = this.#faults.active('polymarket', 'half_open', { connection: this.id }) !== undefined
    if (shouldFreeze === this.frozen) return
    this.frozen = shouldFreeze
    if (shouldFreeze) {
      this.#faults.consume('polymarket', 'half_open', { connection: this.id })
      this.#socket.pause()
    } else this.#socket.resume()
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason)
  }

  /** Resets the TCP connection, so that the client sees an error and no end. */
  reset(): void {
    this.#stream.resetAndDestroy()
  }

  /** Ends the connection with no closing handshake. */
  terminate(): void {
    this.#socket.terminate()
  }

  #isMuted(market: SimMarket | null): boolean {
    const faults = this.#faults
    const connection = this.id
    if (faults.consume('polymarket', 'mute_connection', { connection })) return true
    if (market === null) return false
    return faults.consume('polymarket', 'mute_market', { market: market.id, connection }) !== undefined
  }
}
