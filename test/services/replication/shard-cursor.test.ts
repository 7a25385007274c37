import t from 'tap'
import { ShardCursor } from '../../../services/replication/shard-cursor.ts'

t.test('trades of an entry pass once, whatever is read again', async (t) => {
  const cursor = new ShardCursor()
  const passes = (epoch: number, ...numbers: number[]) =>
    numbers.map((number) => cursor.passesTrades(epoch, number))
  t.strictSame(passes(7, 1, 2, 3), [true, true, true])

  t.comment('filled anew from whole books that are older than what was read')
  cursor.epoch = 7
  cursor.number = 1
  t.equal(cursor.place({ epoch: 7, number: 2 }), 'next', 'its changes are applied again')
  t.strictSame(passes(7, 2, 3), [false, false], 'its trades are not told again')
  t.strictSame(passes(7, 4), [true], 'those that follow are')

  t.comment('filled anew from whole books that are ahead')
  t.strictSame(passes(7, 9, 10, 9), [true, true, false])

  t.comment('a new writer counts from 1')
  t.strictSame(passes(8, 1, 2), [true, true])
  t.strictSame(passes(7, 11), [false], 'and the old one is heard no more')
})
