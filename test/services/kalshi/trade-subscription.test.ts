import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { Commands } from '../../../services/kalshi/commands.ts'
import type { StreamLoss } from '../../../services/kalshi/stream-loss.ts'
import { TradeSubscription } from '../../../services/kalshi/trade-subscription.ts'
import { Counters } from '../../../services/venue/counters.ts'
import type { TradeNote } from '../../../services/venue/wire-tap.ts'

function open() {
  const sent: string[] = []
  const trades: TradeNote[] = []
  const losses: StreamLoss[] = []
  const counters = new Counters()
  const commands = new Commands({
    send: (text) => {
      const { cmd, params } = JSON.parse(text)
      sent.push(
        `${params.action ?? cmd} ${params.sids ?? params.channels} ${params.market_tickers.join(' ')}`
      )
      return true
    }
  })
  commands.open()
  const subscription = new TradeSubscription({
    commands,
    counters: () => counters,
    slots: () => [3, 4],
    onTrade: (trade) => trades.push(trade),
    onLost: (loss) => losses.push(loss),
    now: () => 50
  })
  const takeSent = async () => {
    await nextTurn()
    return sent.splice(0)
  }
  return { subscription, trades, losses, counters, takeSent }
}

t.test('subscribes what is followed when it is open, and goes on with the answer', async (t) => {
  const { subscription, takeSent } = open()
  subscription.follow(['A', 'B'])
  subscription.unfollow(['B', 'X'])
  subscription.again()
  t.same(await takeSent(), [])
  subscription.open()
  t.same(await takeSent(), ['subscribe trade A'])
  subscription.follow(['C'])
  t.same(await takeSent(), ['subscribe trade C'], 'before the answer: the venue merges them')
  t.notOk(subscription.is(4))
  subscription.opened(4)
  t.ok(subscription.is(4))
  t.notOk(subscription.is(null))
  subscription.follow(['D'])
  subscription.unfollow(['A'])
  t.same(await takeSent(), ['add_markets 4 D', 'delete_markets 4 A'])
  subscription.again()
  subscription.close()
  subscription.follow(['E'])
  t.same(await takeSent(), [])
  subscription.open()
  t.same(await takeSent(), ['subscribe trade C D E'])
})

t.test('a market that goes before the answer is taken off with it', async (t) => {
  const { subscription, takeSent } = open()
  subscription.follow(['A', 'B', 'C'])
  subscription.open()
  subscription.unfollow(['B', 'C'])
  subscription.follow(['C'])
  await takeSent()
  subscription.opened(4)
  t.same(await takeSent(), ['delete_markets 4 B'])
  subscription.opened(4)
  t.same(await takeSent(), [], 'once')
  subscription.follow(['B'])
  t.same(await takeSent(), ['add_markets 4 B'])
})

t.test('what is lost is told with its numbers and the last message before it', async (t) => {
  const { subscription, losses, trades, counters, takeSent } = open()
  subscription.follow(['A'])
  subscription.open()
  subscription.opened(4)
  subscription.lost(3, 7)
  const loss = { kind: 'sequence_gap', subscription: 'trade', slots: [3, 4], startedAtMs: 50 }
  t.match(losses, [{ ...loss, fromSequence: 3, toSequence: 6 }])
  subscription.take({ is_block_trade: true }, 60)
  subscription.take({}, 70)
  t.same(trades, [])
  t.equal(counters.seen.get('trade_malformed'), 1)
  subscription.lost(7, 2)
  t.match(losses[1], { ...loss, startedAtMs: 70, fromSequence: null, toSequence: null })
  await takeSent()
  subscription.ended('for a reason')
  t.match(losses[2], { ...loss, startedAtMs: 70, fromSequence: null, detail: 'for a reason' })
  t.notOk(subscription.is(4))
  subscription.again()
  t.same(await takeSent(), ['subscribe trade A'])
})

t.test(
  'a command that was too large is sent again in halves, and one market is not asked for twice',
  async (t) => {
    const { subscription, takeSent } = open()
    subscription.follow(['A', 'B', 'C'])
    subscription.open()
    await takeSent()
    const command = { cmd: 'subscribe', params: {}, purpose: 'trades' } as const
    subscription.splitSmaller({ ...command, tickers: ['A', 'B', 'C', 'gone'] })
    t.same(await takeSent(), ['subscribe trade A B', 'subscribe trade C'])
    subscription.splitSmaller({ ...command, tickers: ['C'] })
    subscription.splitSmaller(command)
    t.same(await takeSent(), [])
  }
)
