import type { StreamHealth } from '../../schemas/stream-health.ts'

export type Labels = Record<string, string>

/** Where figures are told: those that rise and fall, and counts that only rise. */
export interface FigureSink {
  set(name: string, help: string, value: number, labels?: Labels): void
  count(name: string, help: string, value: number, labels: Labels): void
}

/** Tells the figures of the streams. */
export function streamMetrics(stream: StreamHealth, { set, count }: FigureSink): void {
  set('crossbook_stream_clients', 'Clients that stream', stream.clients)
  set('crossbook_stream_subscriptions', 'Subscriptions of all clients', stream.subscriptions)
  set('crossbook_stream_topics', 'Different questions that are answered', stream.topics)
  set('crossbook_stream_active_markets', 'Markets that any client asked for', stream.activeMarkets)
  set('crossbook_stream_ring_bytes', 'Messages kept for who missed them', stream.ringBytes)
  set('crossbook_stream_waiting_bytes', 'What waits for clients to read it', stream.waitingBytes)
  const clients = { taken: stream.clientsTotal, refused: stream.clientsRefused, slow: stream.closedSlow }
  for (const [what, value] of Object.entries(clients))
    count('crossbook_stream_clients_total', 'Clients taken in, refused, closed as slow', value, { what })
  count('crossbook_stream_messages_total', 'Messages sent, to each client one', stream.messagesSent, {})
  count('crossbook_stream_bytes_total', 'Bytes sent', stream.bytesSent, {})
  count('crossbook_stream_serialized_total', 'Times that a market’s news was written', stream.serialized, {})
  const catchingUp = { lag: stream.lags, resync: stream.resyncs, resumed: stream.resumed }
  for (const [how, value] of Object.entries(catchingUp))
    count('crossbook_stream_caught_up_total', 'Clients that were behind, by how they caught up', value, {
      how
    })
  count('crossbook_stream_bad_messages_total', 'Messages that were not understood', stream.badMessages, {})
  count('crossbook_stream_failures_total', 'Exceptions on the way out', stream.failures, {})
  const { published, conflated, failed, withheldByReason } = stream.tickers
  count('crossbook_tickers_total', 'What became of tickers', published, { what: 'published', why: '' })
  count('crossbook_tickers_total', 'What became of tickers', conflated, { what: 'conflated', why: '' })
  count('crossbook_tickers_total', 'What became of tickers', failed, { what: 'failed', why: '' })
  for (const [why, value] of Object.entries(withheldByReason))
    count('crossbook_tickers_total', 'What became of tickers', value, { what: 'withheld', why })
}
