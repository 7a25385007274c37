import t from 'tap'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { Incidents } from '../../../services/integrity/incidents.ts'
import { BookIncidents } from '../../../services/polymarket/book-incidents.ts'

t.test(
  'a book that drifts for minutes has one incident that goes on, and it ends with the drift',
  async (t) => {
    let nowMs = 0
    const table = new BookTable({ capacityMarkets: 1, capacityLevels: 100 })
    const slot = table.allocate()
    const incidents = new Incidents({ steadyNow: () => nowMs })
    const troubles = new BookIncidents({ table, incidents, marketId: () => 'polymarket:A' })
    table.resynced(slot)
    table.raise(slot, 'drift')
    for (; nowMs < 180_000; nowMs += 1_000) {
      troubles.corrupt(slot, 'drift', Buffer.from('{"event_type":"price_change"}'))
      troubles.tick()
    }
    const goingOn = () => incidents.latest(10).filter(({ endedAtMs }) => endedAtMs === null)
    t.equal(incidents.latest(10).length, 3, 'listed once a minute')
    t.match(goingOn(), [{ id: 3, kind: 'drift', marketId: 'polymarket:A' }])
    t.equal(goingOn().length, 1)
    table.resynced(slot)
    troubles.tick()
    t.same(goingOn(), [])
  }
)
