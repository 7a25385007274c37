import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { formatPrice, formatSize, ONE_E4 } from '../../services/numbers/decimal.ts'
import { type Outcome, YES } from '../../services/orderbook/arena.ts'
import { getAggregate } from '../../services/snapshots/aggregate.ts'
import type { MarketRecord } from '../../services/snapshots/market-record.ts'
import type { SnapshotStore } from '../../services/snapshots/store.ts'
import { nowMicros } from '../stream/stamp.ts'

interface Level {
  price: string
  size: string
}

/**
 * Streams the obvious way: a message for each change and a ticker with it, serialized for each client and sent at once. It
 * conflates nothing and does not look who reads. It is spared what a program without Crossbook's store would do for each client besides.
 */
class NaiveStream {
  private readonly store: SnapshotStore
  private readonly books = new Map<number, Set<WebSocket>>()
  private readonly tickers = new Map<number, Set<WebSocket>>()
  private bids: Level[] = []
  private asks: Level[] = []

  constructor(store: SnapshotStore) {
    this.store = store
    const ignore = () => {}
    store.books.listen({
      levelChanged: (slot, outcome, price, size) => this.levelChanged(slot, outcome, price, size),
      sideReplaced: ignore,
      released: ignore,
      touched: (slot) => this.touched(slot)
    })
  }

  receive(client: WebSocket, text: string): void {
    const { channel, markets } = JSON.parse(text) as { channel: 'book' | 'ticker'; markets: string[] }
    const clients = this[channel === 'book' ? 'books' : 'tickers']
    const slots = markets.map((id) => (this.store.get(id) as MarketRecord).slot)
    for (const slot of slots) {
      const known = clients.get(slot)
      if (known === undefined) clients.set(slot, new Set([client]))
      else known.add(client)
    }
    client.on('close', () => {
      for (const slot of slots) clients.get(slot)?.delete(client)
    })
    client.send(JSON.stringify({ type: 'snapshot', remaining: 0, channel }))
  }

  private levelChanged(slot: number, outcome: Outcome, price: number, size: number): void {
    if (!this.books.has(slot)) return
    if (outcome === YES) this.bids.push({ price: formatPrice(price), size: formatSize(size) })
    else this.asks.push({ price: formatPrice(ONE_E4 - price), size: formatSize(size) })
  }

  private touched(slot: number): void {
    this.tellChange(slot, this.books.get(slot) ?? NOBODY)
    this.tellTicker(slot, this.tickers.get(slot) ?? NOBODY)
  }

  private tellChange(slot: number, clients: ReadonlySet<WebSocket>): void {
    const { bids, asks } = this
    this.bids = []
    this.asks = []
    if (clients.size === 0) return
    const { id, verdict } = this.aggregate(slot)
    const version = this.store.books.versions[slot]
    for (const client of clients)
      client.send(JSON.stringify({ type: 'change', books: [{ id, version, bids, asks, verdict }] }))
  }

  private tellTicker(slot: number, clients: ReadonlySet<WebSocket>): void {
    if (clients.size === 0) return
    const at = nowMicros()
    const { id, quotes, market, verdict } = this.aggregate(slot)
    const { volume, volume24h } = market
    const ticker = { id, version: this.store.books.versions[slot], quotes, volume, volume24h, verdict }
    for (const client of clients) client.send(JSON.stringify({ type: 'ticker', at, ticker }))
  }

  private aggregate(slot: number) {
    return getAggregate(this.store, this.store.at(slot) as MarketRecord, 0)
  }
}

const NOBODY: ReadonlySet<WebSocket> = new Set()

/** Starts the naive stream of a store; returns its port and what ends it. */
export async function listenNaiveStream(store: SnapshotStore): Promise<{ port: number; close: () => void }> {
  const stream = new NaiveStream(store)
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: false })
  server.on('connection', (client) => {
    client.on('message', (data) => stream.receive(client, String(data)))
  })
  await once(server, 'listening')
  return { port: (server.address() as AddressInfo).port, close: () => server.close() }
}
