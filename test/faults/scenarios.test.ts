import t from 'tap'
import { scenariosOf } from '../../faults/scenarios/index.ts'
import { SOLO } from '../../faults/solo/index.ts'
import { tableOf } from '../../faults/table.ts'
import { VENUES } from '../../faults/venues.ts'
import { assertParameters } from '../../simulator/fault-catalogue.ts'

for (const venue of VENUES) {
  t.test(`every fault tried on ${venue} exists there`, async (t) => {
    const scenarios = scenariosOf(venue)
    t.equal(new Set(scenarios.map(({ name }) => name)).size, scenarios.length, 'each has a name of its own')
    for (const { name, acts, alarms, concerns } of scenarios) {
      for (const act of acts) {
        if (!('fault' in act)) continue
        const place = act.at === 'market' ? { market: 'X' } : act.at === 'connection' ? { connection: 1 } : {}
        t.doesNotThrow(
          () => assertParameters(venue, act.fault, { ...place, ...act.with }),
          `${name}: ${act.fault}`
        )
      }
      t.notOk(
        concerns !== 'nobody' && alarms.length === 0 && /cut|mute|drop/.test(name),
        `${name} must be noticed`
      )
    }
  })
}

t.test(
  'a fault that may spoil a book is found in its verdict, an incident or a deed, not in a count of frames',
  async (t) => {
    for (const venue of VENUES) {
      for (const { name, concerns, alarms } of scenariosOf(venue)) {
        const counts = alarms.filter(
          (alarm) => /^counter:counters\./.test(alarm) && alarm !== 'counter:counters.ignored.subscribed'
        )
        if (concerns !== 'nobody') t.strictSame(counts, [], `${venue} ${name}`)
      }
    }
  }
)

t.test('the list of the architecture is covered', async (t) => {
  const names = [...VENUES.flatMap(scenariosOf), ...SOLO].map(({ name }) => name.toLowerCase()).join('\n')
  const list =
    'dropped delta; duplicated delta; reordered delta; deltas before a snapshot; socket cut; half-open; pings; muted; ' +
    'unknown message type; renamed field; decimals; crossed book; negative level; merged subscribe; out of order; ' +
    'error 10; error 25; match group; tick size change; opens; closes; pauses; settles; 429; 5xx; html; slow; cached; ' +
    'down at start; credentials refused; clock jumps; slow http client; sigterm; quiet hour'
  for (const fault of list.split('; ')) t.match(names, new RegExp(fault), fault)
})

t.test('the table shows what failed below its row', async (t) => {
  const row = {
    name: 'dropped delta',
    venue: 'kalshi',
    limitMs: 750,
    tookMs: 1,
    signs: [],
    detected: null,
    wrongLive: { books: 2, marketMs: 500, longestMs: 250 },
    recoveredMs: null,
    messagesLost: 1,
    falseAlarms: { books: 0, reconnects: 0, example: null },
    failures: ['missed']
  }
  const text = tableOf(
    [row, { ...row, failures: [], detected: { by: 'counter:x', afterMs: 7 }, first: ['too late'] }],
    ['Redis gone']
  )
  t.match(text, /dropped delta +kalshi +- +- +2 books, 500 market-ms +- +1 +0 +FAILED\n {4}missed\n/)
  t.match(text, /x +7 ms .* ok\n {4}the first time: too late\n/)
  t.match(text, /Redis gone +left out/)
})
