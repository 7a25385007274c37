import t from 'tap'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'
import { market, serve } from '../../helper.ts'
import { BOOKS, Client } from '../../routes/stream-client.ts'
import { differences } from '../stream/held-stream.ts'
import { disturb, randomFrom } from '../stream/world.ts'
import { startRole } from './apps.ts'
import { NO_REDIS_SERVER, OwnRedis, until } from './real-redis.ts'

const MARKETS = 20

t.test('the books that a replica streams are those of its writer', { skip: NO_REDIS_SERVER }, async (t) => {
  const server = await OwnRedis.start(t)
  const settings = { REDIS_URL: server.url, CLUSTER_NAME: 'streams' }
  const ingest = await startRole(t, 'ingest', settings)
  const { snapshotStore: store } = ingest
  const ids = Array.from({ length: MARKETS }, (_, n) => serve(store, market(n)).id)
  const replica = await startRole(t, 'api', settings)
  await until(() => replica.snapshotStore.size === MARKETS, 'the replica was filled')

  const event = 'kalshi:KXTEST-EVENT-1'
  const questions = [{}, { markets: ids.slice(0, 5) }, { event }, { filter: { state: 'live' } }]
  const asked = await Promise.all(
    questions.map((question) =>
      Promise.all(
        [ingest, replica].map((app) => new Client(app.listeningOrigin).ask({ ...BOOKS, ...question }))
      )
    )
  )
  const clients = asked.flat()
  const tickers = await Promise.all(
    [ingest, replica].map((app) =>
      new Client(app.listeningOrigin).ask({ op: 'subscribe', id: 'tickers', channel: 'ticker', markets: ids })
    )
  )
  await until(() => clients.every(({ held }) => held.isWhole), 'all hold the books')

  const random = randomFrom(3)
  for (let round = 0; round < 200; round++) {
    for (let change = 0; change < 20; change++) {
      const record = store.get(ids[Math.floor(random() * MARKETS)] as string)
      if (record !== undefined) disturb(store, record.slot, random)
    }
    // Only those that no question names.
    const n = 5 + Math.floor(random() * (MARKETS - 5))
    if (round % 20 === 5) store.remove(ids[n] as string)
    else if (round % 20 === 15)
      for (const id of ids) if (store.get(id) === undefined) serve(store, market(ids.indexOf(id)))
    await new Promise((resolve) => setTimeout(resolve, 5))
  }

  const served = [...store.records()]
  const isLive = (slot: number) => store.books.verdicts.state(slot) === 'live'
  const belong = [
    served,
    served.filter(({ id }) => ids.indexOf(id) < 5),
    served.filter(({ market: { eventId } }) => eventId === event),
    served.filter(({ slot }) => isLive(slot))
  ].map((records) => records.map(({ id }) => id))
  const wrong = () =>
    asked.flatMap((pair, n) =>
      pair.flatMap(({ held }) => differences(held.books, store, belong[n] as string[]))
    )
  await until(() => wrong().length === 0, 'all hold what the writer has').catch(() => t.same(wrong(), []))
  t.same(
    [...clients, ...tickers].map(({ error }) => error),
    [...clients, ...tickers].map(() => null)
  )
  for (const { held } of clients) t.ok(held.seqs.length > 20, `${held.seqs.length} messages`)
  t.same(
    clients.map(({ held }) => [held.lags, held.resyncs]),
    clients.map(() => [0, 0])
  )

  const last = ({ messages }: Client) => {
    const quotes = new Map<string, unknown>()
    for (const message of messages)
      if ('tickers' in message)
        for (const told of message.tickers ?? []) if ('quotes' in told) quotes.set(told.id, told.quotes)
    return served.map(({ id }) => quotes.get(id))
  }
  // Crossed books have none.
  const side = new LevelList()
  for (const [n, { slot }] of served.entries()) {
    side.clear()
    side.push(4_000, 1_000_000 * (n + 1))
    for (const outcome of [YES, NO] as const) store.books.arena.replace(slot, outcome, side)
    store.books.touch(slot)
  }
  const [ofIngest, ofReplica] = tickers as [Client, Client]
  await until(
    () =>
      !last(ofIngest).includes(undefined) &&
      JSON.stringify(last(ofIngest)) === JSON.stringify(last(ofReplica)),
    'and the same tickers'
  )
})
