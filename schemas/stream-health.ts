import { type Static, Type } from 'typebox'

const count = (description: string) => Type.Integer({ minimum: 0, description })

export const StreamHealthSchema = Type.Object(
  {
    clients: count('Clients that are connected'),
    clientsTotal: count('Clients taken in since the start'),
    clientsRefused: count('Clients that there was no place for'),
    subscriptions: count('Subscriptions of all clients'),
    topics: count('Different questions that are answered, or kept for who may come back'),
    activeMarkets: count('Markets that any of them is about'),
    ringBytes: count('Messages kept for who missed them, bytes'),
    waitingBytes: count('What waits for clients to read it, bytes; shared bytes are counted for each'),
    messagesSent: count('Messages sent, to each client one'),
    bytesSent: count('Their bytes'),
    serialized: count('Times that what a market has to say was written, for whatever number of clients'),
    lags: count('Times that a client had messages left out'),
    resyncs: count('Times that a client had to begin anew'),
    resumed: count('Times that a client went on where it had been'),
    closedSlow: count('Clients closed because they read too slowly, by their own policy'),
    badMessages: count('Messages of clients that were not understood'),
    failures: count('Exceptions on the way out; each was caught'),
    tickers: Type.Object(
      {
        published: count('Tickers put into messages'),
        conflated: count(
          'Changes of a market that waited for the same ticker as an earlier change; counted for each group of subscribers, as tickers are'
        ),
        withheld: count('Tickers that must not go out'),
        withheldByReason: Type.Record(Type.String(), Type.Integer({ minimum: 0 }), {
          description:
            'out_of_bounds, bid_not_below_ask, not_complementary; not_live: only in the form summary, which has no verdict'
        }),
        failed: count('Tickers that could not be written or sent; each is tried again'),
        activeMarkets: count('Markets whose tickers are told')
      },
      { additionalProperties: false, description: 'What became of tickers' }
    )
  },
  { $id: 'StreamHealth', additionalProperties: false, description: 'How the streams are doing' }
)
export type StreamHealth = Static<typeof StreamHealthSchema>
