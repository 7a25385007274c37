import t from 'tap'
import { HeldBook } from '../../client/src/book.ts'
import type { StreamBook } from '../../client/src/messages.gen.ts'
import { told } from './scripted-gateway.ts'

const change = (version: number, previous: number, sides: Partial<StreamBook>): StreamBook => ({
  ...told('a', version, previous, '1'),
  bids: [],
  asks: [],
  ...sides
})

t.test('a change is applied if it follows on what is held, and only then', async (t) => {
  const book = new HeldBook('a')
  t.equal(book.apply(told('a', 4, 3, '4')), 'ahead', 'there is nothing that it could follow on')
  t.equal(book.toBook(), null)
  t.equal(book.apply(told('a', 5, null, '10')), 'whole')
  t.equal(book.apply(told('a', 5, 4, '9')), 'held')
  t.equal(book.apply(told('a', 4, 3, '8')), 'held')
  t.equal(book.toBook()?.bids[0]?.size, '10', 'what it has already does not go on it again')
  t.equal(book.apply(told('a', 7, 6, '7')), 'ahead')
  t.match(book.toBook(), { version: 5, bids: [{ size: '10' }] })
  t.equal(book.apply(told('a', 7, 4, '12')), 'changed', 'from before it to after it')
  t.match(book.toBook(), { version: 7, bids: [{ size: '12' }] })
  t.equal(book.apply(told('a', 2, null, '2')), 'whole', 'a whole one replaces whatever there is')
  t.match(book.toBook(), { version: 2, bids: [{ size: '2' }] })
})

t.test('levels stay sorted best first, by their exact numbers', async (t) => {
  const book = new HeldBook('a')
  book.apply(told('a', 1, null, '10'))
  const bids = ['0.09', '0.1', '0.3999', '0.41', '0.4001'].map((price) => ({ price, size: '1' }))
  const asks = ['1', '0.61', '0.5999', '0.7'].map((price) => ({ price, size: '1.000001' }))
  book.apply(change(2, 1, { bids, asks }))
  const prices = (side: readonly { price: string }[] = []) => side.map(({ price }) => price)
  t.strictSame(prices(book.toBook()?.bids), ['0.41', '0.4001', '0.4', '0.3999', '0.1', '0.09'])
  t.strictSame(prices(book.toBook()?.asks), ['0.5999', '0.6', '0.61', '0.7', '1'])
  const gone = ['0.41', '0.4', '0.05', '0.09'].map((price) => ({ price, size: '0' }))
  book.apply(change(3, 2, { bids: gone }))
  t.strictSame(
    prices(book.toBook()?.bids),
    ['0.4001', '0.3999', '0.1'],
    'size 0 removes, also what is not there'
  )
})
