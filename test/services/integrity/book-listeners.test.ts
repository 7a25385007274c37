import t from 'tap'
import type { BookListener } from '../../../services/integrity/book-listeners.ts'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { YES } from '../../../services/orderbook/arena.ts'
import { LevelList } from '../../../services/orderbook/levels.ts'

function noting(name: string, heard: string[]): BookListener {
  return {
    levelChanged: (slot, outcome, price, size) =>
      heard.push(`${name} level ${slot} ${outcome} ${price} ${size}`),
    sideReplaced: (slot, outcome) => heard.push(`${name} side ${slot} ${outcome}`),
    released: (slot) => heard.push(`${name} released ${slot}`),
    touched: (slot) => heard.push(`${name} touched ${slot}`)
  }
}

t.test('each listener hears every change, until it leaves', async (t) => {
  const heard: string[] = []
  const table = new BookTable({ capacityMarkets: 2, capacityLevels: 64 })
  const slot = table.allocate()
  const endFirst = table.listen(noting('a', heard))
  const endSecond = table.listen(noting('b', heard))
  table.arena.setLevel(slot, YES, 100, 5)
  table.touch(slot)
  t.same(heard.splice(0), ['a level 0 0 100 5', 'b level 0 0 100 5', 'a touched 0', 'b touched 0'])
  endFirst()
  table.arena.replace(slot, YES, new LevelList())
  table.release(slot)
  t.same(heard.splice(0), ['b side 0 0', 'b released 0', 'b touched 0'])
  endSecond()
  table.arena.setLevel(slot, YES, 100, 5)
  table.touch(slot)
  t.same(heard, [])
  t.equal(table.arena.listener, null)
})
