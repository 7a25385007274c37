import type { StreamHealth } from '../../schemas/stream-health.ts'
import type { SnapshotStore } from '../snapshots/store.ts'
import type { TradeBus } from '../venue/trade-bus.ts'
import type { TradeNote } from '../venue/wire-tap.ts'
import { BookTeller } from './book-teller.ts'
import { ChangeCollector } from './change-collector.ts'
import { StateWriter, type StateWriterOptions } from './channel.ts'
import type { ClientLimits } from './client.ts'
import { StreamClient } from './client.ts'
import type { CommandReader } from './command-reader.ts'
import { Publisher } from './publisher.ts'
import type { QuestionDefaults } from './question.ts'
import type { RingLimits } from './ring.ts'
import { StreamStatistics } from './statistics.ts'
import { Topics, type TopicsOptions } from './topics.ts'
import type { StreamTransport } from './transport.ts'

export interface StreamHubOptions {
  store: SnapshotStore
  trades: TradeBus
  getHealth: StateWriterOptions['getHealth']
  readCommand: CommandReader
  mayLack: TopicsOptions['mayLack']
  /** Stands for this run: `seq` of another run mean nothing here. */
  run: string
  clientsMax: number
  topicsMax: number
  lingerMs: number
  rings: RingLimits
  limits: ClientLimits
  defaults: QuestionDefaults
  log: { error: (details: object, message: string) => void }
  now?: () => number
  steadyNow?: () => number
}

/** Messages at intervals go out on this beat. */
const BEAT_MS = 50
const INSPECT_MS = 500
/** Clients have this long to take their leave when the gateway stops; then they are cut off. */
const STOP_MS = 1_500
const LOOK_MS = 10

/**
 * Everything that streams need besides a socket: who is connected, what is asked, what changed. It only listens to the
 * store: nothing that goes wrong here reaches a book.
 */
export class StreamHub {
  readonly statistics = new StreamStatistics()
  readonly topics: Topics
  private readonly options: Required<StreamHubOptions>
  private readonly states: StateWriter
  private readonly publisher: Publisher
  private readonly clients = new Set<StreamClient>()
  private readonly failuresLogged = new Set<string>()
  private readonly endings: (() => void)[] = []
  private endListening: (() => void) | null = null
  private isStopping = false

  constructor(options: StreamHubOptions) {
    this.options = { now: Date.now, steadyNow: () => performance.now(), ...options }
    const { store, getHealth, mayLack, now, steadyNow, rings, run, topicsMax, lingerMs, defaults } =
      this.options
    const { statistics } = this
    const onFailure = (error: unknown) => this.failed(error)
    const collector = new ChangeCollector(store.books.capacityMarkets, () => this.publisher.wake())
    this.states = new StateWriter({ store, statistics, getHealth, now })
    const { states } = this
    const teller = new BookTeller(store, states.bodies)
    this.topics = new Topics({
      store,
      run,
      rings,
      topicsMax,
      lingerMs,
      defaults,
      mayLack,
      collector,
      teller,
      states,
      onFailure,
      steadyNow
    })
    const { topics } = this
    this.publisher = new Publisher({
      store,
      collector,
      teller,
      states,
      topics,
      statistics,
      onFailure,
      steadyNow
    })
  }

  /** Begins to listen to the store and to trades. */
  start(): void {
    const { store, trades } = this.options
    const beat = setInterval(() => this.publisher.beat(), BEAT_MS)
    const inspection = setInterval(() => this.inspect(), INSPECT_MS)
    for (const timer of [beat, inspection]) timer.unref()
    this.endings.push(
      store.watchBindings((slot, id) => this.publisher.bound(slot, id)),
      trades.listen((trade: TradeNote) => this.publisher.traded(trade)),
      () => clearInterval(beat),
      () => clearInterval(inspection)
    )
  }

  /** Whether one more client may come. */
  get hasPlace(): boolean {
    return !this.isStopping && this.clients.size < this.options.clientsMax
  }

  /** Takes a client in, or ends it at once when there is no place; whoever calls it says when it has closed. */
  connect(transport: StreamTransport): StreamClient {
    const { limits, readCommand, now, steadyNow, clientsMax } = this.options
    const { states, statistics, topics, hasPlace } = this
    const client: StreamClient = new StreamClient({
      transport,
      limits,
      states,
      statistics,
      readCommand,
      openTopic: (command) => {
        const topic = topics.open(command)
        this.attend()
        return topic
      },
      onLeft: (topic) => {
        topic.emptySinceMs = steadyNow()
      },
      onFailure: (error) => this.failed(error),
      steadyNow,
      now
    })
    this.clients.add(client)
    if (hasPlace) {
      statistics.clientsTotal++
      return client
    }
    statistics.clientsRefused++
    if (!this.isStopping) {
      const message = `${clientsMax} clients are connected, which is the most: try again later`
      client.say({ type: 'error', code: 'TOO_MANY_CLIENTS', message })
    }
    client.close(this.isStopping ? 'going_away' : 'too_many_clients')
    return client
  }

  /** A client's connection has ended. */
  disconnected(client: StreamClient): void {
    client.closed()
    this.clients.delete(client)
  }

  /** Takes leave of every client, and ends in time. */
  async stop(): Promise<void> {
    this.isStopping = true
    for (const end of this.endings.splice(0)) end()
    this.attend()
    for (const client of this.clients) client.close('going_away')
    const untilMs = performance.now() + STOP_MS
    while (this.clients.size > 0 && performance.now() < untilMs)
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    for (const client of this.clients) client.terminate()
    this.topics.closeAll()
  }

  status(): StreamHealth {
    const { statistics, topics, states } = this
    let subscriptions = 0
    let waitingBytes = 0
    for (const client of this.clients) {
      subscriptions += client.subscriptions
      waitingBytes += client.waitingBytes
    }
    return {
      clients: this.clients.size,
      clientsTotal: statistics.clientsTotal,
      clientsRefused: statistics.clientsRefused,
      subscriptions,
      topics: topics.size,
      activeMarkets: topics.activeMarkets,
      ringBytes: topics.budget.bytes,
      waitingBytes,
      messagesSent: statistics.messagesSent,
      bytesSent: statistics.bytesSent,
      serialized: states.bodies.written,
      lags: statistics.lags,
      resyncs: statistics.resyncs,
      resumed: statistics.resumed,
      closedSlow: statistics.closedSlow,
      badMessages: statistics.badMessages,
      failures: statistics.failures,
      tickers: {
        published: statistics.tickersPublished,
        conflated: statistics.tickersConflated,
        withheld: statistics.tickersWithheld,
        withheldByReason: Object.fromEntries(statistics.tickerFaults),
        failed: statistics.tickersFailed,
        activeMarkets: topics.tickerMarkets
      }
    }
  }

  private inspect(): void {
    for (const client of this.clients) {
      try {
        client.inspect()
      } catch (error) {
        this.failed(error)
      }
    }
    this.topics.sweep()
    this.attend()
  }

  /** Listens to the books only while somebody asks for them: whoever applies a message pays for it. */
  private attend(): void {
    const isWanted = this.topics.size > 0 && !this.isStopping
    if (isWanted === (this.endListening !== null)) return
    this.endListening?.()
    this.endListening = isWanted ? this.options.store.books.listen(this.publisher.listener) : null
  }

  /** Counts what went wrong; each kind is logged once. */
  private failed(error: unknown): void {
    this.statistics.failures++
    const kind = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    if (this.failuresLogged.has(kind) || this.failuresLogged.size === KINDS_MAX) return
    this.failuresLogged.add(kind)
    this.options.log.error(
      { err: error },
      'a stream message could not be sent; more of this kind are only counted'
    )
  }
}

const KINDS_MAX = 100
