import t from 'tap'
import { WebSocket } from 'ws'
import { listenNaiveStream } from '../../bench/peers/naive-stream.ts'
import { YES } from '../../services/orderbook/arena.ts'
import { SnapshotStore } from '../../services/snapshots/store.ts'
import { market, serve } from '../helper.ts'
import { until } from '../services/stream/world.ts'

t.test(
  'the naive peer tells every change and a ticker with it to every client, and conflates none',
  async (t) => {
    const store = new SnapshotStore({ capacityMarkets: 4, capacityLevels: 1_024 })
    const { slot, id } = serve(store, market(1))
    const { port, close } = await listenNaiveStream(store)
    t.teardown(close)
    const clients = [1, 2].map(() => {
      const socket = new WebSocket(`ws://127.0.0.1:${port}`)
      const types: string[] = []
      socket.on('open', () => {
        for (const channel of ['book', 'ticker']) socket.send(JSON.stringify({ channel, markets: [id] }))
      })
      socket.on('message', (data) => types.push(JSON.parse(String(data)).type))
      t.teardown(() => socket.terminate())
      return types
    })
    await until(() => clients.every((types) => types.length === 2))
    for (const size of [1, 2, 3]) {
      store.books.arena.setLevel(slot, YES, 4_000, size * 1_000_000)
      store.books.touch(slot)
    }
    const pair = ['change', 'ticker']
    const wanted = ['snapshot', 'snapshot', ...pair, ...pair, ...pair]
    await until(() => clients.every((types) => types.length >= wanted.length))
    t.same(clients, [wanted, wanted])
  }
)
