import type { Test } from 'tap'
import type { Health } from '../../../schemas/health.ts'
import type { StreamMessage } from '../../../schemas/stream.ts'
import type { StreamCommand, StreamSubscribe } from '../../../schemas/stream-commands.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import type { StreamClient } from '../../../services/stream/client.ts'
import type { Frame } from '../../../services/stream/frame.ts'
import { StreamHub, type StreamHubOptions } from '../../../services/stream/hub.ts'
import type { StreamTransport } from '../../../services/stream/transport.ts'
import { TradeBus } from '../../../services/venue/trade-bus.ts'
import { market, serve } from '../../helper.ts'
import { HeldStream, readMessage } from './held-stream.ts'

/** A client in the same process, whose reading a test stops and starts. */
export class Listener implements StreamTransport {
  readonly held: HeldStream
  readonly messages: StreamMessage[] = []
  closed: [code: number, reason: string] | null = null
  waitingBytes = 0
  leftBytes = 0
  peakBytes = 0
  client!: StreamClient
  private isReading = true
  private waiting: string[] = []

  constructor(held = new HeldStream()) {
    this.held = held
  }

  send(_type: string, message: Buffer): void {
    if (this.closed !== null) return
    if (this.isReading) this.read(String(message))
    else {
      this.waiting.push(String(message))
      this.waitingBytes += message.length
      this.peakBytes = Math.max(this.peakBytes, this.waitingBytes)
    }
  }

  sendFrame({ bytes }: Frame): void {
    this.send('', bytes)
  }

  pause(): void {
    this.isReading = false
  }

  resume(): void {
    this.isReading = true
    for (const text of this.waiting.splice(0)) this.read(text)
    this.leftBytes += this.waitingBytes
    this.waitingBytes = 0
    this.client.drained()
  }

  probe(): void {
    this.client.heard()
  }

  close(code: number, reason: string): void {
    this.closed ??= [code, reason]
    setImmediate(() => this.onClosed())
  }

  terminate(): void {
    this.close(1006, '')
  }

  onClosed: () => void = () => {}

  private read(text: string): void {
    const message = readMessage(text)
    this.messages.push(message)
    this.held.take(message)
  }
}

export type World = ReturnType<typeof world>

/** A store with a hub and markets that a test changes. */
export function world(t: Test, markets: number, overrides: Partial<StreamHubOptions> = {}) {
  const store = new SnapshotStore({ capacityMarkets: 64, capacityLevels: 64 * 512 })
  const trades = new TradeBus()
  const errors: object[] = []
  const clock = { ms: 1_000 }
  const hub = new StreamHub({
    store,
    trades,
    getHealth: () => ({}) as Health,
    readCommand: (text) => JSON.parse(text) as StreamCommand,
    mayLack: () => false,
    run: 'test',
    clientsMax: 1_000,
    topicsMax: 100,
    lingerMs: 60_000,
    rings: { messages: 20_000, bytes: 64 << 20 },
    limits: {
      subscriptions: 10,
      bufferBytes: 256 << 10,
      stallTimeoutMs: 30_000,
      idleTimeoutMs: 60_000,
      keepAliveMs: 20_000
    },
    defaults: { depth: 10, depthIntervalMs: 1_000, healthIntervalMs: 5_000, tickerIntervalMs: 1_000 },
    log: { error: (details) => errors.push(details) },
    ...overrides
  })
  hub.start()
  t.teardown(() => hub.stop())
  for (let n = 0; n < markets; n++) serve(store, market(n))
  return { store, trades, hub, errors, clock, ids: Array.from({ length: markets }, (_, n) => market(n).id) }
}

type Asked = Omit<StreamSubscribe, 'op' | 'id'>

/** Connects a client and subscribes it. */
export function listen(hub: StreamHub, command: Asked, held?: HeldStream): Listener {
  const listener = new Listener(held)
  listener.client = hub.connect(listener)
  listener.onClosed = () => hub.disconnected(listener.client)
  listener.client.receive(JSON.stringify({ op: 'subscribe', id: 'one', ...command }))
  return listener
}

/** Connects again with what a client holds, where it was. */
export function comeBack(hub: StreamHub, { held }: Listener, command: Asked): Listener {
  return listen(hub, { ...command, resume: { epoch: held.epoch, seq: held.seq } }, held)
}

/** Lets whatever waits for the end of the turn happen. */
export async function turns(count = 3): Promise<void> {
  for (let i = 0; i < count; i++) await new Promise(setImmediate)
}

const side = new LevelList()

/** Changes a book in one of the ways in which books change; the same numbers, the same change. */
export function disturb(store: SnapshotStore, slot: number, random: () => number): void {
  const { books } = store
  const { arena } = books
  const pick = (below: number) => Math.floor(random() * below)
  const what = random()
  if (what < 0.85) {
    for (let changes = 1 + pick(3); changes > 0; changes--)
      arena.setLevel(slot, random() < 0.5 ? YES : NO, 100 + pick(40) * 100, pick(4) * 1_000_003)
  } else if (what < 0.92) {
    side.clear()
    for (let level = 1 + pick(20); level > 0; level--)
      side.push(5_000 - level * 100, 1_000_000 + pick(1_000_000))
    arena.replace(slot, random() < 0.5 ? YES : NO, side)
  } else if (what < 0.96) books.raise(slot, 'disconnected')
  else books.clear(slot, 'disconnected')
  books.received(slot, 1_795_000_000_000 + pick(1_000_000), Number.NaN, pick(1_000))
  books.touch(slot)
}

/** Numbers from 0 to 1 that a seed decides. */
export function randomFrom(seed: number): () => number {
  let state = seed
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

/** What comes at intervals comes ten times a second. */
export const PACED = { depth: 10, depthIntervalMs: 100, healthIntervalMs: 100, tickerIntervalMs: 100 }

export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

export const slotOf = ({ store, ids }: World, n = 0) => store.get(ids[n] as string)?.slot as number

/** Changes a bid for YES of the nth market, and tells of it. */
export function setBid(here: World, price: number, size: number, n = 0): void {
  const { books } = here.store
  books.arena.setLevel(slotOf(here, n), 0, price, size)
  books.touch(slotOf(here, n))
}
