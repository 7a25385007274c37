import type { Socket } from 'node:net'
import type { RawData, WebSocket } from 'ws'
import { brokenText } from '../broken-text.ts'
import type { Faults } from '../faults.ts'
import type { LevelChange, SimMarket } from '../model/types.ts'
import { topOf } from './book.ts'
import { runCommand } from './commands.ts'
import { errorBody } from './errors.ts'
import {
  type BookForm,
  deltaBody,
  frame,
  type Stamp,
  snapshotBody,
  tickerBody,
  type WireForm
} from './frames.ts'
import { crossingChange, overdrawingChange, spoilDelta } from './spoil.ts'
import { covers, type Subscription, Subscriptions } from './subscriptions.ts'

/**
 * How long commands are gathered before they are answered; those that came together are answered in any
 * order.
 */
const BURST_MS = 2
const MAX_COMMANDS = 10_000

/** What every connection of one server shares. */
export interface Floor {
  faults: Faults
  /** The venue's clock, ms since the epoch. */
  clock: () => number
  random: () => number
  market(ticker: string): SimMarket | undefined
  marketByUid(uid: string): SimMarket | undefined
  /** Told of a subscribe that went through. */
  onSubscribed(connection: Connection): void
  /** True where clients get the frames of a recording in place of the model's books. */
  isReplay: boolean
  /** What a reader may owe before its subscriptions are ended with error 25. */
  bufferLimitBytes: number
  sent: { frames: number; commands: number }
}

/** One WebSocket of a client: its subscriptions, its commands, and everything that is written to it. */
export class Connection {
  /** From 1, in the order of opening. */
  readonly number: number
  readonly floor: Floor
  readonly subscriptions = new Subscriptions()
  readonly #ws: WebSocket
  readonly #raw: Socket
  readonly #timers = new Set<NodeJS.Timeout>()
  #commands: string[] = []
  #corked = false
  #isPaused = false

  constructor(ws: WebSocket, raw: Socket, number: number, floor: Floor, onGone: () => void) {
    this.#ws = ws
    this.#raw = raw
    this.number = number
    this.floor = floor
    raw.setNoDelay(true)
    ws.on('message', (data) => this.#receive(data))
    ws.on('ping', (data: Buffer) => {
      if (!this.#isHalfOpen()) ws.pong(data)
    })
    ws.on('error', () => ws.terminate())
    ws.on('close', () => {
      for (const timer of this.#timers) clearTimeout(timer)
      this.#timers.clear()
      onGone()
    })
  }

  get form(): WireForm {
    const form = this.floor.faults.active('kalshi', 'wire_form', this.place())?.form
    return form === 'transition' || form === 'cents' ? form : 'fixed'
  }

  /**
   * Returns whether a fault keeps this market's messages back, and counts that. They take no sequence
   * number.
   */
  isMuted(ticker: string): boolean {
    return this.floor.faults.consume('kalshi', 'mute_market', this.place(ticker)) !== undefined
  }

  place(market?: string): { connection: number; market?: string } {
    return market === undefined ? { connection: this.number } : { connection: this.number, market }
  }

  /** Sends the next message of a subscription; an unsequenced one carries no number. */
  send(subscription: Subscription, type: string, body: string, id: number | null = null): void {
    this.#emit(subscription, this.#number(subscription, type, body, id))
  }

  /** Sends a message that belongs to no subscription, or whose numbering the caller did. */
  write(text: string | Buffer): void {
    if (this.#isHalfOpen(true) || this.floor.faults.consume('kalshi', 'mute_connection', this.place())) return
    // Frames of one turn leave in one system call.
    if (!this.#corked) {
      this.#corked = true
      this.#raw.cork()
      setImmediate(() => {
        this.#corked = false
        this.#raw.uncork()
      })
    }
    this.floor.sent.frames++
    this.#ws.send(text, { binary: false })
    if (this.#ws.bufferedAmount > this.floor.bufferLimitBytes) {
      const [first] = this.subscriptions.list()
      if (first) this.end(first, 25)
    }
  }

  /** Sends one book change as the faults at this place leave it. */
  sendDelta(subscription: Subscription, market: SimMarket, body: string): void {
    const { faults } = this.floor
    const place = { market: market.id, connection: this.number }
    const text = this.#number(subscription, 'orderbook_delta', spoilDelta(body, faults, place), null)
    if (faults.consume('kalshi', 'drop_delta', place)) return
    if (subscription.held === null && faults.consume('kalshi', 'reorder_delta', place)) {
      subscription.held = text
      return
    }
    this.#emit(subscription, faults.consume('kalshi', 'invalid_utf8', place) ? brokenText(text) : text)
    if (faults.consume('kalshi', 'duplicate_delta', place)) this.write(text)
  }

  /** Sends the book as it is now, unless a fault withholds or delays it. */
  sendSnapshot(subscription: Subscription, market: SimMarket, id: number | null = null): void {
    const { faults } = this.floor
    const place = this.place(market.id)
    if (this.floor.isReplay) return
    if (this.isMuted(market.id) || faults.consume('kalshi', 'no_snapshot', place)) return
    const late = faults.consume('kalshi', 'delta_before_snapshot', place)
    const sendNow = () => {
      faults.consume('kalshi', 'wire_form', this.place())
      this.send(
        subscription,
        'orderbook_snapshot',
        snapshotBody(market, market.book, this.bookForm(subscription)),
        id
      )
    }
    if (late === undefined) {
      sendNow()
      return
    }
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      if (this.subscriptions.get(subscription.sid) && covers(subscription, market.id)) sendNow()
    }, late.ms ?? 200)
    this.#timers.add(timer)
  }

  /** Sends the `ticker` of one market as it is now; an unknown market gets none. */
  sendTicker(subscription: Subscription, ticker: string): void {
    const market = this.floor.market(ticker)
    if (market === undefined) return
    const stamp = { ms: this.floor.clock(), micros: 0 }
    this.send(subscription, 'ticker', tickerBody(market, topOf(market.book), this.form, stamp))
  }

  bookForm(subscription: Subscription): BookForm {
    return { form: this.form, yesPrice: subscription.yesPrice }
  }

  /** Ends a subscription with a terminal error: nothing more comes on its `sid`. */
  end(subscription: Subscription, code: number): void {
    this.subscriptions.end(subscription)
    this.send(subscription, 'error', errorBody(code))
  }

  /** Sends untrue changes of this market where a fault asks for them. */
  lie(subscription: Subscription, market: SimMarket, stamp: Stamp): void {
    const { faults } = this.floor
    const place = this.place(market.id)
    const tell = (change: LevelChange): void => {
      const body = deltaBody(market, change, this.bookForm(subscription), stamp)
      if (body !== null) this.send(subscription, 'orderbook_delta', body)
    }
    if (faults.active('kalshi', 'crossed_book', place)) {
      const change = crossingChange(market)
      if (change && faults.consume('kalshi', 'crossed_book', place)) tell(change)
    }
    if (faults.consume('kalshi', 'negative_level', place)) tell(overdrawingChange(market))
  }

  /** Pings as the venue does; where the socket is half open, not even that. */
  heartbeat(): void {
    if (!this.#isHalfOpen()) this.#ws.ping('heartbeat')
  }

  close(code: number): void {
    this.#ws.close(code)
  }

  /** Resets the TCP connection, with no WebSocket close. */
  cut(): void {
    this.#raw.resetAndDestroy()
  }

  terminate(): void {
    this.#ws.terminate()
  }

  #number(subscription: Subscription, type: string, body: string, id: number | null): string {
    return frame(type, subscription.sid, subscription.sequenced ? ++subscription.seq : null, body, id)
  }

  #emit(subscription: Subscription, text: string | Buffer): void {
    this.write(text)
    if (subscription.held === null) return
    const { held } = subscription
    subscription.held = null
    this.write(held)
  }

  /** Stops or takes up reading as the fault says now. */
  checkHalfOpen(): void {
    this.#isHalfOpen()
  }

  /** Asks the fault, and stops or takes up reading as it says. */
  #isHalfOpen(fires = false): boolean {
    const { faults } = this.floor
    const isOn =
      (fires
        ? faults.consume('kalshi', 'half_open', this.place())
        : faults.active('kalshi', 'half_open', this.place())) !== undefined
    if (isOn !== this.#isPaused) {
      this.#isPaused = isOn
      if (isOn) this.#ws.pause()
      else this.#ws.resume()
    }
    return isOn
  }

  #receive(data: RawData): void {
    if (this.#isHalfOpen() || this.#commands.length >= MAX_COMMANDS) return
    this.floor.sent.commands++
    this.#commands.push(data.toString())
    if (this.#commands.length > 1) return
    const window = this.floor.faults.active('kalshi', 'shuffle_answers', this.place())
    const waitMs = window === undefined ? BURST_MS : (window.ms ?? 20)
    const timer = setTimeout(() => {
      this.#timers.delete(timer)
      this.#answerBurst()
    }, waitMs)
    this.#timers.add(timer)
  }

  #answerBurst(): void {
    const burst = this.#commands
    this.#commands = []
    if (burst.length > 1) {
      shuffle(burst, this.floor.random)
      this.floor.faults.consume('kalshi', 'shuffle_answers', this.place())
    }
    for (const text of burst) runCommand(this, text)
  }
}

/** Puts the items out of their order, whatever the numbers drawn. */
function shuffle(items: string[], random: () => number): void {
  const before = [...items]
  for (let last = items.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const [a, b] = [items[last], items[other]]
    if (a === undefined || b === undefined) continue
    items[last] = b
    items[other] = a
  }
  if (items.every((item, index) => item === before[index])) items.reverse()
}
