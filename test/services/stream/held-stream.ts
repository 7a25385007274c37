import { Compile, type Validator } from 'typebox/compile'
import { COMPONENT_SCHEMAS } from '../../../schemas/components.ts'
import { STREAM_SCHEMAS, type StreamMessage } from '../../../schemas/stream.ts'
import type { StreamBook } from '../../../schemas/stream-payloads.ts'
import { formatPrice, formatSize, ONE_E4 } from '../../../services/numbers/decimal.ts'
import { NO, type Outcome, YES } from '../../../services/orderbook/arena.ts'
import type { SnapshotStore } from '../../../services/snapshots/store.ts'

export interface HeldBook {
  version: number
  state: string
  bids: Map<string, string>
  asks: Map<string, string>
}

const named = Object.fromEntries(
  [...COMPONENT_SCHEMAS, ...STREAM_SCHEMAS].map((schema) => [schema.$id, schema])
)
const SCHEMA_OF: Record<string, string> = {
  subscribed: 'StreamSubscribed',
  unsubscribed: 'StreamUnsubscribed',
  snapshot: 'StreamSnapshot',
  change: 'StreamChange',
  depth: 'StreamDepthMessage',
  tickers: 'StreamTickers',
  trades: 'StreamTrades',
  health: 'StreamHealthMessage',
  lag: 'StreamLag',
  resync: 'StreamResync',
  error: 'StreamError',
  pong: 'StreamPong'
}
const validators = new Map<string, Validator>()

/** Returns a message that matches its schema; throws otherwise. */
export function readMessage(text: string): StreamMessage {
  const message: StreamMessage = JSON.parse(text)
  const { type } = message
  const id = SCHEMA_OF[type] ?? ''
  let validator = validators.get(id)
  if (validator === undefined) {
    validator = Compile(named, named[id] as never) as Validator
    validators.set(id, validator)
  }
  if (validator.Check(message as unknown)) return message
  const [error] = validator.Errors(message as unknown)
  throw new Error(
    `${message.type} does not match: ${error?.instancePath} ${error?.message}: ${text.slice(0, 300)}`
  )
}

/** What a client of one subscription holds, by the rules of docs/stream.md and nothing else. Throws when they are broken. */
export class HeldStream {
  readonly books = new Map<string, HeldBook>()
  /** Every live message that came, in order. */
  readonly seqs: number[] = []
  readonly others: StreamMessage[] = []
  epoch = ''
  topic = 0
  seq = 0
  isWhole = false
  lags = 0
  resyncs = 0
  leftOut = 0

  take(message: StreamMessage): void {
    if (message.type === 'subscribed') {
      this.epoch = message.epoch
      this.topic = message.topic
      this.seq = message.seq
      this.isWhole = message.resumed || message.channel === 'trades'
      if (!message.resumed) this.books.clear()
      return
    }
    if (!('topic' in message) || message.topic !== this.topic) {
      this.others.push(message)
      return
    }
    if (message.type === 'resync') {
      this.resyncs++
      this.books.clear()
      this.isWhole = false
      this.seq = message.seq
    } else if (message.type === 'lag') {
      if (message.from !== this.seq + 1) throw new Error(`a lag from ${message.from} after ${this.seq}`)
      this.lags++
      this.leftOut += message.to - message.from + 1
      this.isWhole = false
      this.seq = message.to
      for (const id of message.removed ?? []) this.books.delete(id)
    } else if (message.type === 'snapshot') {
      if (message.seq !== this.seq) throw new Error(`a snapshot of ${message.seq} at ${this.seq}`)
      for (const book of message.books ?? []) this.apply(book)
      if (message.remaining === 0) this.isWhole = true
      if (message.books === undefined) this.others.push(message)
    } else if ('seq' in message) {
      if (message.seq !== this.seq + 1) throw new Error(`message ${message.seq} after ${this.seq}`)
      this.seq = message.seq
      this.seqs.push(message.seq)
      if (message.type !== 'change') this.others.push(message)
      else {
        for (const id of message.removed ?? []) this.books.delete(id)
        for (const book of message.books) this.apply(book)
      }
    }
  }

  private apply({ id, version, previous, bids, asks, verdict }: StreamBook): void {
    const held = this.books.get(id)
    if (previous === null) {
      // A whole book in a late snapshot may be older than nothing, but never than what is held.
      this.books.set(id, { version, state: verdict.state, bids: sideOf(bids), asks: sideOf(asks) })
      return
    }
    if (held === undefined || previous > held.version) {
      if (this.isWhole) throw new Error(`a change of ${id} from ${previous}, and ${held?.version} is held`)
      return
    }
    if (version <= held.version) return
    held.version = version
    held.state = verdict.state
    for (const [side, levels] of [
      [held.bids, bids],
      [held.asks, asks]
    ] as const)
      for (const { price, size } of levels) {
        if (size === '0') side.delete(price)
        else side.set(price, size)
      }
  }
}

function sideOf(levels: StreamBook['bids']): Map<string, string> {
  return new Map(levels.map(({ price, size }) => [price, size]))
}

/** Returns what differs between the books of a client and those of the store, in a few words; empty when nothing does. */
export function differences(
  held: ReadonlyMap<string, HeldBook>,
  store: SnapshotStore,
  ids: Iterable<string>
): string[] {
  const found: string[] = []
  const wanted = new Set(ids)
  for (const id of held.keys()) if (!wanted.has(id)) found.push(`${id} is held, and should not be`)
  for (const id of wanted) {
    const book = held.get(id)
    const slot = store.get(id)?.slot
    if (book === undefined || slot === undefined) {
      found.push(`${id} is ${book === undefined ? 'not held' : 'not served'}`)
      continue
    }
    const state = store.books.verdicts.state(slot)
    if (state !== book.state) found.push(`${id} is ${state}, held as ${book.state}`)
    compare(id, book.bids, sideInStore(store, slot, YES), found)
    compare(id, book.asks, sideInStore(store, slot, NO), found)
  }
  return found
}

function sideInStore(
  { books: { arena } }: SnapshotStore,
  slot: number,
  outcome: Outcome
): Map<string, string> {
  const side = new Map<string, string>()
  for (let i = 0; i < arena.count(slot, outcome); i++) {
    const price = arena.priceAt(slot, outcome, i)
    side.set(
      formatPrice(outcome === YES ? price : ONE_E4 - price),
      formatSize(arena.sizeAt(slot, outcome, i))
    )
  }
  return side
}

function compare(id: string, held: Map<string, string>, real: Map<string, string>, found: string[]): void {
  for (const [price, size] of real)
    if (held.get(price) !== size) found.push(`${id} at ${price}: ${size}, held ${held.get(price)}`)
  for (const price of held.keys())
    if (!real.has(price)) found.push(`${id} at ${price}: gone, held ${held.get(price)}`)
}
