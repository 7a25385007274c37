import type { Book } from './book.ts'
import { bookState, depthState, healthState, tickerState } from './channels.ts'
import { StreamClientError } from './errors.ts'
import { Feed, type FeedState, type TopicMessage } from './feed.ts'
import { Line, type LineState } from './line.ts'
import type { Update } from './market-state.ts'
import type { Health, StreamDepth, StreamError, StreamSubscribed, StreamTicker } from './messages.gen.ts'
import { parseMessage } from './messages.ts'
import {
  type ClientOptions,
  type ClientStatistics,
  type DepthOptions,
  type HealthOptions,
  type Markets,
  NO_STATISTICS,
  type ReadOptions
} from './options.ts'
import { type MarketChoice, type Question, questionKey, subscribeMessage } from './question.ts'
import type { Reader } from './reader.ts'
import { TradeQueue, type TradeUpdate } from './trade-queue.ts'
import { streamUrl } from './web-socket.ts'

interface Openable<T> extends FeedState {
  open(onEnd: () => void): Reader<T>
}

/** These refusals may pass: the gateway starts, or is full. The others are mistakes. */
const PASSING: ReadonlySet<StreamError['code']> = new Set([
  'MARKET_NOT_FOUND',
  'EVENT_NOT_FOUND',
  'TOO_MANY_SUBSCRIPTIONS',
  'TOO_MANY_TOPICS'
])

/** A client of one gateway's stream. It connects when something is asked for, and again whenever the connection is lost. */
export class StreamClient {
  private readonly options: ClientOptions
  private readonly line: Line
  private readonly counts: ClientStatistics = { ...NO_STATISTICS }
  private readonly byKey = new Map<string, Feed>()
  private readonly byId = new Map<string, Feed>()
  private readonly byTopic = new Map<number, Feed>()
  private readonly retries = new Set<ReturnType<typeof setTimeout>>()
  private asked = 0
  private readonly stopListening: () => void

  constructor(url: string, options: ClientOptions) {
    this.options = options
    const {
      retryMinMs = 250,
      retryMaxMs = 10_000,
      connectTimeoutMs = 10_000,
      pingIntervalMs = 15_000
    } = options
    const { webSocket, random = Math.random, signal } = options
    const line = {
      url: streamUrl(url),
      webSocket,
      random,
      retryMinMs,
      retryMaxMs,
      connectTimeoutMs,
      pingIntervalMs
    }
    this.line = new Line(line, {
      opened: () => this.opened(),
      message: (data) => this.received(data),
      lost: (code, reason) => this.lost(code, reason),
      failed: (error) => this.end({ error }),
      changed: (state) => options.onEvent?.({ type: 'state', state })
    })
    this.stopListening = whenAborted(signal, (error) => this.end({ error }))
  }

  get state(): LineState {
    return this.line.state
  }

  get statistics(): ClientStatistics {
    return { ...this.counts }
  }

  /**
   * Hands over whole books, best price first, each time that they changed; the latest only, when they change faster than they
   * are taken, and says so. Subscribes at once; leaving the loop unsubscribes.
   */
  books(markets: Markets, { signal }: ReadOptions = {}): Reader<Update<Book>> {
    return this.read({ channel: 'book', ...choiceOf(markets) }, () => bookState(this.onConflated), signal)
  }

  /** Hands over the best levels of books, at most every `intervalMs`. */
  depth(markets: Markets, options: DepthOptions = {}): Reader<Update<StreamDepth>> {
    const { depth = 10, intervalMs = 1_000, signal } = options
    const question: Question = { channel: 'depth', ...choiceOf(markets), depth, intervalMs }
    return this.read(question, () => depthState(this.onConflated), signal)
  }

  /** Hands over quotes of both outcomes. */
  tickers(markets: Markets, { signal }: ReadOptions = {}): Reader<Update<StreamTicker>> {
    return this.read({ channel: 'ticker', ...choiceOf(markets) }, () => tickerState(this.onConflated), signal)
  }

  /** Hands over each trade, from now on. */
  trades(markets: Markets, { signal }: ReadOptions = {}): Reader<TradeUpdate> {
    const { tradesMax = 10_000 } = this.options
    const onDropped = () => this.counts.tradesDropped++
    return this.read(
      { channel: 'trades', ...choiceOf(markets) },
      () => new TradeQueue(tradesMax, onDropped),
      signal
    )
  }

  /** Hands over what `/v1/healthz` answers, every `intervalMs`. */
  health({ intervalMs = 5_000, signal }: HealthOptions = {}): Reader<Update<Health>> {
    return this.read({ channel: 'health', intervalMs }, () => healthState(this.onConflated), signal)
  }

  /** Ends all iterators and the connection. Calling it again does nothing. */
  close(): void {
    this.end(null)
  }

  private readonly onConflated = (): void => {
    this.counts.conflated++
  }

  private read<T>(question: Question, makeState: () => Openable<T>, signal?: AbortSignal): Reader<T> {
    if (this.state === 'closed')
      throw new StreamClientError('CLOSED', 'the client is closed: connect another one')
    signal?.throwIfAborted()
    const key = questionKey(question)
    const known = this.byKey.get(key)
    const feed = known ?? new Feed(`q${++this.asked}`, key, question, makeState())
    // The key says the channel, and the channel what its state hands over.
    const reader = (feed.state as Openable<T>).open(() => {
      stopListening()
      if (feed.state.readers === 0) this.forget(feed)
    })
    const stopListening = whenAborted(signal, (error) => reader.end({ error }))
    if (known === undefined) {
      this.byKey.set(key, feed)
      this.byId.set(feed.id, feed)
      this.ask(feed)
      this.line.open()
    }
    return reader
  }

  private ask({ id, question, position }: Feed): void {
    this.line.send(subscribeMessage(id, question, this.options.policy ?? 'conflate', position.resume))
  }

  private forget(feed: Feed): void {
    if (!this.byId.delete(feed.id)) return
    this.byKey.delete(feed.key)
    if (feed.topic !== null) this.byTopic.delete(feed.topic)
    this.line.send({ op: 'unsubscribe', id: feed.id })
  }

  private opened(): void {
    this.counts.connections++
    for (const feed of this.byId.values()) this.ask(feed)
  }

  private lost(code: number, reason: string): boolean {
    this.options.onEvent?.({ type: 'lost', code, reason })
    this.clearRetries()
    this.byTopic.clear()
    for (const feed of this.byId.values()) feed.lost()
    return this.byId.size > 0
  }

  private received(data: unknown): void {
    const message = parseMessage(data)
    this.counts.messages++
    switch (message?.type) {
      case 'subscribed':
        this.subscribed(message)
        break
      case 'error':
        this.refused(message)
        return
      case 'unsubscribed':
      case 'pong':
        return
      case 'snapshot':
      case 'change':
      case 'depth':
      case 'tickers':
      case 'trades':
      case 'health':
      case 'lag':
      case 'resync':
        if (!this.took(message)) return
        break
      default:
        this.counts.unknown++
        return
    }
    this.options.onMessage?.(message)
  }

  private subscribed(message: StreamSubscribed): void {
    const feed = this.byId.get(message.id)
    if (feed === undefined) return
    if (message.resumed) this.counts.resumed++
    else if (feed.wasAccepted) this.counts.restarted++
    this.byTopic.set(message.topic, feed)
    feed.subscribed(message)
  }

  /** Returns whether a subscription had a use for it. */
  private took(message: TopicMessage): boolean {
    const order = this.byTopic.get(message.topic)?.receive(message)
    if (order === 'duplicate') this.counts.duplicates++
    if (order === 'missing') {
      this.counts.missing++
      this.line.renew('a message is missing')
    }
    if (order === 'next' && message.type === 'lag') this.counts.lags++
    return order === 'next'
  }

  private refused({ id, code, message }: StreamError): void {
    const feed = id === undefined ? undefined : this.byId.get(id)
    const isFinal = feed !== undefined && !this.mayPass(feed, code)
    this.options.onEvent?.({ type: 'refused', code, message, isFinal })
    if (feed === undefined) return
    if (isFinal) {
      // There is nothing to unsubscribe.
      this.byId.delete(feed.id)
      this.byKey.delete(feed.key)
      feed.state.end({ error: new StreamClientError(code, message) })
      return
    }
    const { random = Math.random } = this.options
    const retry = setTimeout(
      () => {
        this.retries.delete(retry)
        if (this.byId.get(feed.id) === feed) this.ask(feed)
      },
      ASK_AGAIN_MS * (0.5 + random())
    )
    this.retries.add(retry)
  }

  private mayPass(feed: Feed, code: StreamError['code']): boolean {
    const { refusedForMs = 60_000 } = this.options
    feed.refusedSinceMs ??= performance.now()
    return feed.wasAccepted && PASSING.has(code) && performance.now() - feed.refusedSinceMs < refusedForMs
  }

  private end(failure: { error: unknown } | null): void {
    this.stopListening()
    this.clearRetries()
    this.line.close()
    for (const feed of [...this.byId.values()]) feed.state.end(failure)
  }

  private clearRetries(): void {
    for (const retry of this.retries) clearTimeout(retry)
    this.retries.clear()
  }
}

/** A refused subscription is asked for again about as often. */
const ASK_AGAIN_MS = 1_000

/** Returns a client of the gateway at that address: its stream (`ws://…/v1/stream`), or its origin. */
export function connect(url: string, options: ClientOptions = {}): StreamClient {
  options.signal?.throwIfAborted()
  return new StreamClient(url, options)
}

function choiceOf(markets: Markets): MarketChoice {
  return isList(markets) ? { markets } : markets
}

function isList(markets: Markets): markets is readonly string[] {
  return Array.isArray(markets)
}

/** Calls when a signal is aborted; returns what ends that. */
function whenAborted(signal: AbortSignal | undefined, act: (reason: unknown) => void): () => void {
  if (signal === undefined) return () => {}
  const listener = () => act(signal.reason)
  signal.addEventListener('abort', listener, { once: true })
  return () => signal.removeEventListener('abort', listener)
}
