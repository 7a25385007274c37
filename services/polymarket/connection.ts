import type { FastifyBaseLogger } from 'fastify'
import type { BookTable } from '../integrity/book-table.ts'
import type { BreakerLimits } from '../venue/breaker.ts'
import type { DialPacer } from '../venue/dial-pacer.ts'
import type { ConnectionStatus } from '../venue/port.ts'
import type { Recovery } from '../venue/recovery.ts'
import { SupervisedSocket } from '../venue/supervised-socket.ts'
import type { WireTap } from '../venue/wire-tap.ts'
import { upgradeHeaders } from './auth.ts'
import type { PolymarketBooks } from './books.ts'
import { PING, PONG } from './urls.ts'

/** One asset that is subscribed, and the slot of its book. */
export interface Subscription {
  assetId: string
  slot: number
}

/** What a connection reports and asks of its feed. */
export interface PolymarketConnectionOptions {
  name: string
  /** How often the connection of this name has been replaced by a new one. */
  generation: number
  url: string
  books: PolymarketBooks
  table: BookTable
  log: Pick<FastifyBaseLogger, 'info' | 'warn'>
  snapshotTimeoutMs: number
  /** Without an answer to our texts for this long the connection is dropped. */
  silentAfterMs: number
  breaker: BreakerLimits
  /** Shared by all connections, as is the next. */
  pacer: DialPacer
  recovery: Recovery
  /** Whether this connection turns on the venue-wide announcements, when it subscribes. */
  isAnnouncer: () => boolean
  /** Whether the books are the live ones. */
  isLive: boolean
  /** Hears all that passes; null: nobody does. */
  wire: WireTap | null
  /** The connection to live books was lost. `aliveAtMs`: our clock at the last message on it. */
  onLost: (name: string, slots: readonly number[], aliveAtMs: number, reason: string) => void
  /** Called for an asset whose snapshot is overdue and should be read over REST. */
  onOverdue: (assetId: string) => void
  now: () => number
  /** Milliseconds on a clock that never jumps: waits are measured by it. */
  steadyNow: () => number
  random: () => number
}

/** The venue closes a connection that names thousands of ids in one frame. */
const IDS_PER_FRAME = 100
const PING_EVERY_MS = 5_000
/** After all was tried for a snapshot, it is tried again after this many time limits. */
const PATIENCE = 6

const OPEN_OBJECT = 0x7b
const OPEN_ARRAY = 0x5b

/** What was done last for a snapshot that does not come. */
type Step = 'subscribed' | 'read' | 'resubscribed' | 'reported'
interface Waiting {
  step: Step
  dueAtMs: number
}

/**
 * One connection to the market channel with its share of the assets. There is no acknowledgement: that a
 * subscription works shows only in its snapshot, so each asset has a time limit for one, and then, one step a limit:
 * the book is read over REST, the asset is unsubscribed and subscribed again, and it is reported.
 */
export class PolymarketConnection {
  private options: PolymarketConnectionOptions
  private readonly socket: SupervisedSocket
  private readonly assets = new Map<string, number>()
  private readonly waiting = new Map<string, Waiting>()
  /** True once this connection had its first subscription: the venue accepts nothing before it. */
  private isSubscribed = false
  private opened = 0
  /** Data frames since the start. */
  messages = 0

  constructor(options: PolymarketConnectionOptions) {
    const { name, url, log, silentAfterMs, breaker, pacer, isLive, wire, now, steadyNow, random } = options
    this.options = options
    this.socket = new SupervisedSocket({
      name,
      url,
      headers: upgradeHeaders,
      keepAlive: {
        kind: 'text',
        send: PING,
        expect: PONG,
        everyMs: Math.min(PING_EVERY_MS, silentAfterMs / 3),
        timeoutMs: silentAfterMs
      },
      onOpen: () => this.open(),
      onFrame: (frame, receivedAtMs) => {
        // Bare text answers our own and is no sign of life of any book.
        if (frame[0] === OPEN_OBJECT || frame[0] === OPEN_ARRAY) this.messages++
        this.options.books.apply(frame, receivedAtMs)
      },
      onDown: (reason) => this.down(reason),
      tapped: wire === null ? null : { venue: 'polymarket', wire, keepsBooks: isLive },
      breaker,
      pacer,
      // There are no credentials to refuse: a 403 is a guard in front of the venue, and passes.
      refusedBy: [],
      log,
      now,
      steadyNow,
      random
    })
  }

  get size(): number {
    return this.assets.size
  }

  /** Which connecting it is, from 1; 0 while it is down. What is read over REST holds for one connecting only. */
  get era(): number {
    return this.socket.isOpen ? this.opened : 0
  }

  start(): void {
    this.socket.start()
  }

  get generation(): number {
    return this.options.generation
  }

  get isOpen(): boolean {
    return this.socket.isOpen
  }

  /** The slots of the books that come on it. */
  slots(): Iterable<number> {
    return this.assets.values()
  }

  slotOf(assetId: string): number | undefined {
    return this.assets.get(assetId)
  }

  /** Cuts the connection and dials again. */
  drop(reason: string): void {
    this.socket.drop(reason)
  }

  /** The subscribed assets with the slots of their books. */
  subscriptions(): Subscription[] {
    return [...this.assets].map(([assetId, slot]) => ({ assetId, slot }))
  }

  /** From now on this connection keeps these books, which are equal to those that it kept. */
  moveTo(
    books: PolymarketBooks,
    table: BookTable,
    isLive: boolean,
    onOverdue: (assetId: string) => void
  ): void {
    this.options = { ...this.options, books, table, isLive, onOverdue }
    if (isLive) this.socket.adopt()
  }

  /** Subscribes assets; each book awaits its snapshot. */
  add(added: readonly Subscription[]): void {
    for (const { assetId, slot } of added) {
      this.assets.set(assetId, slot)
      this.options.books.awaitSnapshot(slot)
    }
    if (this.socket.isOpen) this.subscribe(added.map(({ assetId }) => assetId))
  }

  remove(assetId: string): void {
    if (!this.assets.delete(assetId)) return
    this.waiting.delete(assetId)
    this.unsubscribe([assetId])
  }

  /** Asks for a fresh snapshot, the one way there is: the venue sends none to a subscribed asset. */
  resubscribe(assetId: string): void {
    const slot = this.assets.get(assetId)
    if (slot === undefined || !this.socket.isOpen) return
    this.options.books.awaitSnapshot(slot)
    this.unsubscribe([assetId])
    this.subscribe([assetId])
    this.wait(assetId, 'resubscribed', 1)
  }

  /** True while the next step for an asset's snapshot is still to come. */
  isWaiting(assetId: string): boolean {
    return this.waiting.has(assetId)
  }

  /** Turns on the venue-wide announcements on a connection that is open: its known assets bring no snapshot. */
  announce(): void {
    const [assetId] = this.assets.keys()
    if (this.isSubscribed && assetId !== undefined) this.subscribeFrame([assetId])
  }

  /** Takes the next step for each snapshot that is overdue. */
  tick(): void {
    if (!this.socket.isOpen) return
    this.options.recovery.tick(this.options.name, this.assets.values())
    if (this.waiting.size === 0) return
    const { steadyNow, log, name } = this.options
    const nowMs = steadyNow()
    const inVain: string[] = []
    for (const [assetId, { step, dueAtMs }] of this.waiting) {
      if (!this.options.books.isAwaiting(this.assets.get(assetId) as number)) this.waiting.delete(assetId)
      else if (nowMs >= dueAtMs && this.insist(assetId, step) === 'reported') inVain.push(assetId)
    }
    if (inVain.length > 0)
      log.warn(
        { connection: name, assets: inVain.length, first: inVain[0] },
        'no snapshot, over the stream or over REST'
      )
  }

  status(): ConnectionStatus {
    return this.socket.status(this.assets.size)
  }

  stop(): Promise<void> {
    this.options.recovery.forget(this.options.name)
    return this.socket.stop()
  }

  private open(): void {
    const { table, books } = this.options
    this.opened++
    this.isSubscribed = false
    for (const slot of this.assets.values()) {
      books.awaitSnapshot(slot)
      table.clear(slot, 'disconnected')
    }
    this.subscribe([...this.assets.keys()])
    if (this.opened > 1) this.options.recovery.resubscribed(this.options.name, this.assets.size)
  }

  private down(reason: string): void {
    const { name, table, recovery, isLive, onLost, now } = this.options
    this.isSubscribed = false
    this.waiting.clear()
    recovery.lost(name, table, this.assets.values())
    if (isLive) onLost(name, [...this.assets.values()], this.socket.heardAtMs ?? now(), reason)
    for (const slot of this.assets.values()) table.raise(slot, 'disconnected')
  }

  private subscribe(assetIds: readonly string[]): void {
    for (let from = 0; from < assetIds.length; from += IDS_PER_FRAME)
      this.subscribeFrame(assetIds.slice(from, from + IDS_PER_FRAME))
    for (const assetId of assetIds) this.wait(assetId, 'subscribed', 1)
  }

  private subscribeFrame(assets_ids: readonly string[]): void {
    const features = this.options.isAnnouncer() ? { custom_feature_enabled: true } : {}
    const form = this.isSubscribed ? { operation: 'subscribe' } : { type: 'market' }
    if (!this.socket.send(JSON.stringify({ ...form, assets_ids, ...features }))) return
    this.isSubscribed = true
    this.socket.startKeepAlive()
  }

  private unsubscribe(assets_ids: readonly string[]): void {
    if (this.isSubscribed) this.socket.send(JSON.stringify({ operation: 'unsubscribe', assets_ids }))
  }

  /** Takes the step after `step` and returns which it was. */
  private insist(assetId: string, step: Step): Step {
    const { onOverdue, books } = this.options
    if (step === 'subscribed' || step === 'reported') {
      onOverdue(assetId)
      this.wait(assetId, 'read', 1)
      return 'read'
    }
    if (step === 'read') {
      this.resubscribe(assetId)
      return 'resubscribed'
    }
    books.counters.observe('no_snapshot')
    this.wait(assetId, 'reported', PATIENCE)
    return 'reported'
  }

  private wait(assetId: string, step: Step, limits: number): void {
    const { steadyNow, snapshotTimeoutMs } = this.options
    this.waiting.set(assetId, { step, dueAtMs: steadyNow() + limits * snapshotTimeoutMs })
  }
}
