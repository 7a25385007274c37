import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import t, { type Test } from 'tap'
import type { Venue } from '../../../schemas/common.ts'
import { BLOCK_MAGIC } from '../../../services/history/journal/block-header.ts'
import type { JournalHole, JournalRecord, RecordKind } from '../../../services/history/journal/record.ts'
import { JournalWriter } from '../../../services/history/journal/writer.ts'
import { JournalTap } from '../../../services/history/journal-tap.ts'
import { formatMarketBody } from '../../../services/history/replay/market-record.ts'
import { MarketsFirst } from '../../../services/history/replay/markets-first.ts'
import { type MergedRecord, mergeRecords, type RecordSource } from '../../../services/history/replay/merge.ts'
import { replayJournal } from '../../../services/history/replay/replay.ts'
import { loadSigner } from '../../../services/kalshi/auth.ts'
import { KalshiFeed } from '../../../services/kalshi/feed.ts'
import { PolymarketFeed } from '../../../services/polymarket/feed.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import type { HistoryTaps } from '../../../services/venue/wire-tap.ts'
import { startSimulator } from '../../../simulator/index.ts'
import { testConfig } from '../../helper.ts'

const VENUES = ['kalshi', 'polymarket'] as const satisfies readonly Venue[]
/** Blocks of each journal that are damaged, one after the other. */
const DAMAGES = 12
const log = { info: () => {}, warn: () => {}, error: () => {} }
const MARKET = {
  eventId: 'e',
  title: 'A',
  outcomes: { yes: 'Yes', no: 'No' },
  tokens: null,
  status: 'open',
  result: null,
  openTime: null,
  closeTime: null,
  eventStartTime: null,
  priceBands: [],
  minOrderSize: null,
  volume: null,
  volume24h: null,
  volumeUnit: 'contracts',
  openInterest: null
}
const HOLE = { journal: 'a', fromMs: 1_000, toMs: 1_001, records: 1, reason: 'queue_full' }
const EVENT = { id: 'e', venue: 'kalshi', title: 'E' }
const newStore = () => new SnapshotStore({ capacityMarkets: 128, capacityLevels: 128 * 512 })

async function until(what: string, condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 60_000
  while (!condition()) {
    if (Date.now() > deadline) throw new Error(`not within a minute: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** A gateway over simulated venues, whose wires and markets are written into journals, the markets somewhat late. */
async function record(t: Test, rate: number, lateMs = 0) {
  const folder = t.testdir()
  const venue = await startSimulator({ marketsPerVenue: 15, rate, churnMs: 0, openDelayMs: 0 })
  const store = newStore()
  const journals = new Map<string, JournalWriter>()
  for (const name of VENUES)
    journals.set(name, new JournalWriter({ folder, name, flushMs: 100, onHole: () => {}, log }))
  for (const journal of journals.values()) await journal.start()
  const history: HistoryTaps = {
    wire: new JournalTap(journals),
    onTrade: () => {},
    onGap: () => {},
    onPolled: () => {}
  }
  const written = new Map<number, { version: number; body: Parameters<typeof formatMarketBody>[0] }>()
  const note = (slot: number) => {
    const known = written.get(slot)
    const now = store.at(slot)
    if (known !== undefined && known.body.market.id !== now?.id) {
      written.delete(slot)
      const text = formatMarketBody({ ...known.body, removed: true })
      journals.get(known.body.market.venue)?.appendText('market', Date.now(), 0, text)
    }
    if (now === undefined || known?.version === now.metaVersion) return
    const { market, rules } = now
    const event = market.eventId === null ? undefined : store.getEvent(market.eventId)
    const body = { market, rules, event: event ?? null }
    written.set(slot, { version: now.metaVersion, body })
    journals.get(market.venue)?.appendText('market', Date.now(), 0, formatMarketBody(body))
  }
  const tell = store.books.onTouch
  store.books.onTouch = (slot) => {
    tell(slot)
    if (lateMs === 0) note(slot)
    else setTimeout(() => note(slot), lateMs)
  }
  const { kalshi, polymarket } = venue
  const config = testConfig({
    KALSHI_HTTP_BASE: kalshi.httpBase,
    KALSHI_WS_URL: kalshi.wsUrl,
    POLYMARKET_HTTP_BASE: polymarket.clobBase,
    POLYMARKET_GAMMA_BASE: polymarket.gammaBase,
    POLYMARKET_WS_URL: polymarket.wsUrl,
    POLYMARKET_ASSETS_PER_CONNECTION: 6,
    MAX_MARKETS_PER_VENUE: 40
  })
  const signer = loadSigner(kalshi.keyId, kalshi.privateKeyPem)
  const feeds = [
    new KalshiFeed({ sink: store, config, signer, log, history }),
    new PolymarketFeed({ sink: store, config, log, history })
  ] as const
  t.teardown(async () => {
    await Promise.all(feeds.map((feed) => feed.stop()))
    for (const journal of journals.values()) await journal.stop()
    await venue.stop()
  })
  for (const feed of feeds) feed.start()
  const trading = () =>
    VENUES.flatMap((name) => venue.world.markets(name).filter(({ status }) => status === 'active'))
  const isLive = () =>
    trading().every(({ venue: name, id }) => {
      const slot = store.get(`${name}:${id}`)?.slot
      return slot !== undefined && store.books.verdicts.state(slot) === 'live'
    })
  await until('every book is live', () => trading().length > 0 && isLive())
  const applied = () => feeds.reduce((sum, feed) => sum + feed.status().counters.applied, 0)
  /** All books are whole and quiet, and all that came is in the journals; returns what time it is. */
  const settle = async (): Promise<number> => {
    venue.world.setRate(0)
    let before = -1
    let since = Date.now()
    await until('it is quiet', () => {
      if (applied() !== before) since = Date.now()
      before = applied()
      return isLive() && Date.now() - since > 400
    })
    for (const journal of journals.values()) await journal.flush()
    return Date.now() + 1
  }
  return { folder, venue, store, feeds, applied, settle }
}
type Recorded = Awaited<ReturnType<typeof record>>

function replay(folder: string, toMs: number, options: Partial<Parameters<typeof replayJournal>[0]> = {}) {
  const store = newStore()
  return { store, done: replayJournal({ folder, fromMs: 0, toMs, store, speed: null, ...options }) }
}

function levels({ books: { arena } }: SnapshotStore, at: number) {
  return ([0, 1] as const).map((side) =>
    Array.from({ length: arena.count(at, side) }, (_, depth) => [
      arena.priceAt(at, side, depth),
      arena.sizeAt(at, side, depth)
    ])
  )
}

/** Compares every book, its markets' metadata and its state. */
function equals(t: Test, live: SnapshotStore, again: SnapshotStore): void {
  t.same(new Set([...again.records()].map(({ id }) => id)), new Set([...live.records()].map(({ id }) => id)))
  for (const { id, slot, market } of live.records()) {
    const other = again.get(id)
    if (other === undefined) continue
    t.same(other.market, market)
    // Books are compared slot by slot: in the replay a market has a slot of its own.
    t.same(levels(again, other.slot), levels(live, slot), id)
    const says = (one: SnapshotStore, at: number) => {
      const { state, reason, sequence, venueTimeMs, receivedAtMs } = one.books.verdicts.get(at)
      return { state, reason, sequence, venueTimeMs, receivedAtMs }
    }
    t.same(says(again, other.slot), says(live, slot), id)
  }
}

async function becomesEqual(t: Test, { folder, store, settle }: Recorded): Promise<void> {
  const toMs = await settle()
  const first = replay(folder, toMs)
  const report = await first.done
  t.ok(report.isComplete)
  t.ok(report.frames > 100)
  equals(t, store, first.store)
  const second = await replay(folder, toMs).done
  t.equal(second.digest, report.digest, 'the same books at every record')
  t.equal(second.records, report.records)
  const shorter = await replay(folder, toMs, { hashBudgetPercent: 0 }).done
  t.match(shorter, { records: report.records, digest: /^[0-9a-f]{64}$/ })
}

t.test('a replay gives the books that the feeds had, and the same ones each time', async (t) => {
  const recorded = await record(t, 600)
  const before = recorded.applied()
  await until('much came', () => recorded.applied() > before + 1_500)
  await becomesEqual(t, recorded)
})

t.test('over gaps, lost connections, pauses and markets that end', async (t) => {
  const recorded = await record(t, 400)
  const { venue, applied } = recorded
  const { faults, world } = venue
  faults.set('kalshi', 'drop_delta', { count: 3 })
  faults.set('polymarket', 'drop_delta', { count: 3 })
  const next = async (frames: number) => {
    const before = applied()
    await until('more came', () => applied() > before + frames)
  }
  await next(200)
  faults.set('kalshi', 'cut_socket', { count: 1 })
  faults.set('polymarket', 'cut_socket', { count: 1 })
  await next(300)
  const [paused, closed] = world.markets('kalshi').filter(({ status }) => status === 'active')
  if (paused === undefined || closed === undefined) throw new Error('no market')
  world.pause(paused)
  await next(100)
  world.resume(paused)
  world.close(closed)
  await next(100)
  await becomesEqual(t, recorded)
})

t.test('over a handover of every connection, with markets that were written late', async (t) => {
  const recorded = await record(t, 500, 300)
  for (const feed of recorded.feeds) {
    const { connections } = await feed.recycle({ signal: new AbortController().signal, onProgress: () => {} })
    t.ok(connections.every(({ outcome }) => outcome === 'swapped'))
  }
  const before = recorded.applied()
  await until('more came', () => recorded.applied() > before + 300)
  await becomesEqual(t, recorded)
})

t.test('of a journal with a damaged block no book is live that is not what it was', async (t) => {
  const recorded = await record(t, 400)
  const { folder, venue, feeds, applied } = recorded
  const next = async (frames: number) => {
    const before = applied()
    await until('more came', () => applied() > before + frames)
  }
  await next(300)
  for (const name of VENUES) venue.faults.set(name, 'cut_socket', { count: 1 })
  await next(300)
  for (const feed of feeds) await feed.recycle({ signal: new AbortController().signal, onProgress: () => {} })
  await next(300)
  const toMs = await recorded.settle()
  const whole = replay(folder, toMs)
  t.match(await whole.done, { isComplete: true, holes: 0 })
  const copy = join(folder, 'copy')
  for (const name of VENUES) cpSync(join(folder, name), join(copy, name), { recursive: true })
  for (const name of VENUES) {
    const path = join(copy, name, readdirSync(join(copy, name))[0] as string)
    const bytes = readFileSync(path)
    const starts: number[] = []
    for (let at = bytes.indexOf(BLOCK_MAGIC); at !== -1; at = bytes.indexOf(BLOCK_MAGIC, at + 1))
      starts.push(at)
    // The last block may be torn, which is no damage.
    const last = starts.length - 2
    const told: JournalHole[] = []
    let doubtful = 0
    for (let part = 0; part <= DAMAGES; part++) {
      const block = Math.floor((part * last) / DAMAGES)
      // In its records, and in its header, without which nobody knows where it is.
      const spoilt = part % 2 === 0 ? (starts[block + 1] as number) - 9 : (starts[block] as number) + 1
      const damaged = Buffer.from(bytes)
      damaged[spoilt] = (damaged[spoilt] as number) ^ 1
      writeFileSync(path, damaged)
      const { store, done } = replay(copy, toMs, { onHole: (hole) => told.push(hole) })
      t.match(await done, { isComplete: false, holes: 1 }, `block ${block} of ${name}`)
      const wrong = [...store.records()].filter(({ id, slot }) => {
        if (store.books.verdicts.state(slot) !== 'live') {
          doubtful++
          return false
        }
        const other = whole.store.get(id)?.slot as number
        const isLive = whole.store.books.verdicts.state(other) === 'live'
        return !isLive || !isDeepStrictEqual(levels(store, slot), levels(whole.store, other))
      })
      t.strictSame(
        wrong.map(({ id }) => id),
        [],
        `block ${block} of ${name}`
      )
    }
    writeFileSync(path, bytes)
    t.ok(doubtful > 0)
    t.ok(
      told.every(({ journal, fromMs, toMs: endMs }) => journal === name && fromMs <= endMs && endMs < toMs)
    )
  }
})

t.test('a replay is paced from where it is asked for, and can be ended', async (t) => {
  const records = [1_000, 2_000, 2_400, 62_000].map(
    (atMs): JournalRecord => ({
      kind: 'opened',
      atMs,
      connection: atMs,
      body: Buffer.from('{"name":"kalshi"}')
    })
  )
  const open = (venue: Venue) => sourceOf(venue === 'kalshi' ? records : [])
  const startedAtMs = performance.now()
  const paced = await replay('', 3_000, { open, fromMs: 2_000, speed: 2 }).done
  t.match(paced, { records: 3, atMs: 2_400, isComplete: true }, 'at its last record')
  t.ok(performance.now() - startedAtMs >= 195, 'two seconds of record in one')
  const wholeAtMs = performance.now()
  await replay('', 3_000, { open, fromMs: Number.NEGATIVE_INFINITY, speed: 4 }).done
  t.ok(performance.now() - wholeAtMs >= 345, 'without a start, from its first record on')
  const ending = new AbortController()
  const ended = await replay('', Number.POSITIVE_INFINITY, {
    open: (venue) => ({
      async *records() {
        if (venue === 'polymarket') return
        yield { records: records.slice(0, 3) }
        setTimeout(() => ending.abort(), 20)
        yield { records: records.slice(3) }
      }
    }),
    speed: 1,
    fromMs: 2_400,
    signal: ending.signal
  }).done
  t.match(ended, { records: 3, isComplete: false })
})

/** A replay of records that are written here, one a millisecond, up to now. */
function written(venue: Venue) {
  const records: JournalRecord[] = []
  const write = (kind: RecordKind, body: unknown = {}, connection = 1) => {
    const text = typeof body === 'string' ? body : JSON.stringify(body)
    records.push(recordOf(kind, 1_000 + records.length, text, connection))
  }
  const state = async (id: string) => {
    const open = (name: Venue) => sourceOf(name === venue ? records : [])
    const { store, done } = replay('', Number.POSITIVE_INFINITY, { open })
    await done
    const record = store.get(id)
    if (record === undefined) return null
    const { state, reason, source } = store.books.verdicts.get(record.slot)
    return `${state} ${reason} ${source} ${store.books.arena.count(record.slot, 0)}`
  }
  return { write, state }
}

t.test('what the record of Kalshi says of its connections is done to the books', async (t) => {
  const id = 'kalshi:KXA'
  const { write, state } = written('kalshi')
  const market = { ...MARKET, id, venue: 'kalshi', venueMarketId: 'KXA', symbol: 'KXA' }
  const book = { market_ticker: 'KXA', yes_dollars_fp: [['0.4000', '1.00']] }
  const snapshot = (seq: number, connection = 1, sid = 1) =>
    write('frame', { type: 'orderbook_snapshot', sid, seq, msg: book }, connection)
  const update = (action: string, sid = 1) =>
    write('command', {
      id: 9,
      cmd: 'update_subscription',
      params: { sids: [sid], action, market_tickers: ['KXA'] }
    })
  write('market', { market, rules: '', event: null })
  t.equal(await state(id), 'syncing awaiting_snapshot websocket 0')
  write('rest', { ticker: 'KXA', book: { yes_dollars: [['0.4000', '1.00']] } })
  write('rest', { ticker: 'KXB', book: {} })
  write('rest', {})
  t.equal(await state(id), 'live null poll 1', 'a polled book')
  write('opened', { name: 'kalshi' })
  write('adopted')
  write('command', 'no command')
  write('command', { id: 0, cmd: 'other', params: {} })
  write('command', {
    id: 1,
    cmd: 'subscribe',
    params: { channels: ['orderbook_delta'], market_tickers: ['KXA'] }
  })
  write('frame', { type: 'ok', id: 1, sid: 1, seq: 1, msg: {} })
  t.equal(await state(id), 'syncing awaiting_snapshot websocket 1')
  snapshot(2)
  t.equal(await state(id), 'live null websocket 1')
  update('get_snapshot', 7)
  t.equal(await state(id), 'live null websocket 1', 'that was about another subscription')
  update('get_snapshot')
  t.equal(await state(id), 'syncing awaiting_snapshot websocket 1', 'it was doubted for what nobody wrote')
  snapshot(3)
  write('frame', {
    type: 'market_lifecycle_v2',
    sid: 2,
    seq: 1,
    msg: { market_ticker: 'KXA', event_type: 'activated' }
  })
  t.match(await state(id), /^syncing awaiting_snapshot/, 'a pause ended')
  snapshot(4)
  write('frame', { type: 'error', sid: 2, seq: 2, msg: { code: 25 } })
  t.match(await state(id), /^syncing/, 'which subscription that was, nobody wrote')
  snapshot(5)
  write('frame', { type: 'error', msg: { code: 25 } })
  t.match(await state(id), /^syncing/, 'the subscription ended')
  snapshot(6)
  write('command', { id: 3, cmd: 'unsubscribe', params: { sids: [1] } })
  t.match(await state(id), /^syncing/)
  snapshot(7)
  write('hole', HOLE, 0)
  t.match(await state(id), /^syncing/, 'what is missing may have been of this book')
  snapshot(8)
  write('opened', { name: 'kalshi' }, 2)
  snapshot(1, 2)
  t.equal(await state(id), 'live null websocket 1')
  write('closed', { reason: 'cut' }, 2)
  t.equal(await state(id), 'live null websocket 1', 'it never kept the live books')
  write('opened', { name: 'kalshi' }, 3)
  write(
    'command',
    { id: 1, cmd: 'subscribe', params: { channels: ['orderbook_delta'], market_tickers: ['KXA'] } },
    3
  )
  write('market', { market: { ...market, status: 'halted' }, rules: '', event: EVENT })
  snapshot(1, 3)
  write('adopted', {}, 3)
  snapshot(99)
  t.equal(await state(id), 'halted venue_paused websocket 1')
  write('market', { market, rules: '', event: EVENT })
  t.equal(await state(id), 'live null websocket 1', 'the other connection is heard no more')
  write('closed', {}, 3)
  t.equal(await state(id), 'stale disconnected websocket 1')
  write('opened', { name: 'kalshi' }, 4)
  write('adopted', {}, 4)
  snapshot(1, 4)
  t.equal(await state(id), 'live null websocket 1')
  write('opened', { name: 'kalshi' }, 1)
  t.equal(await state(id), 'stale disconnected websocket 1', 'another run began')
  write('adopted')
  snapshot(1)
  write('market', { market: { ...market, status: 'closed' }, rules: '', event: null })
  snapshot(2)
  t.match(await state(id), /^closed market_closed/)
  write('market', { market, rules: '', event: null, removed: true })
  write('market', { market, rules: '', event: null, removed: true })
  t.equal(await state(id), null)
})

t.test('what the record of Polymarket says of its connections is done to the books', async (t) => {
  const id = 'polymarket:0x1'
  const { write, state } = written('polymarket')
  const tokens = { yes: '11', no: '22' }
  const market = { ...MARKET, id, venue: 'polymarket', venueMarketId: '0x1', symbol: 'a', tokens }
  const levels = { bids: [{ price: '0.4', size: '1' }], asks: [] }
  let told = 1_795_000_000_000
  const frame = (connection = 1) =>
    write(
      'frame',
      { event_type: 'book', asset_id: '11', market: '0x1', timestamp: String(++told), hash: '', ...levels },
      connection
    )
  const subscribe = (connection = 1, extra: object = {}) =>
    write('command', { type: 'market', assets_ids: ['11', '33'], ...extra }, connection)
  write('market', { market: { ...market, id: `${id}2`, tokens: null }, rules: '', event: null })
  write('market', { market, rules: '', event: null })
  write('opened', { name: 'polymarket-1' })
  write('adopted')
  subscribe()
  frame()
  t.equal(await state(id), 'live null websocket 1')
  subscribe(1, { operation: 'subscribe', custom_feature_enabled: true })
  write('command', 'PING')
  write('command', '1')
  t.equal(await state(id), 'live null websocket 1', 'that only turned on the announcements')
  subscribe(1, { operation: 'unsubscribe' })
  subscribe(1, { operation: 'subscribe' })
  t.equal(await state(id), 'syncing awaiting_snapshot websocket 1')
  const book = { kind: 'book', assetId: '11', timestampMs: told + 1, hash: -1, bids: [], asks: [] }
  const facts = { market: null, tickSize: null, lastTrade: null, minOrderSize: null, negRisk: null }
  write('rest', { book: { ...book, ...facts }, streaming: true }, 0)
  told++
  t.equal(await state(id), 'live null websocket 0')
  frame()
  write('hole', HOLE, 0)
  t.equal(await state(id), 'syncing awaiting_snapshot websocket 1')
  frame()
  write('opened', { name: 'polymarket-1' }, 2)
  subscribe(2)
  write('market', { market: { ...market, status: 'halted' }, rules: '', event: null })
  write('market', { market, rules: '', event: null })
  frame(2)
  write('adopted', {}, 2)
  frame(1)
  t.equal(await state(id), 'live null websocket 1')
  write('closed', {}, 1)
  t.equal(await state(id), 'live null websocket 1', 'it no longer kept the book')
  write('opened', { name: 'polymarket-1' }, 1)
  t.equal(await state(id), 'stale disconnected websocket 1', 'another run began')
  subscribe(7)
  frame(7)
  t.equal(await state(id), 'live null websocket 1', 'a connection whose opening nobody wrote')
  write('opened', {}, 8)
  write('market', { market: { ...market, status: 'closed' }, rules: '', event: null })
  t.match(await state(id), /^closed/)
  write('market', {
    market: { ...market, id: `${id}2`, tokens: null },
    rules: '',
    event: null,
    removed: true
  })
  write('market', { market, rules: '', event: null, removed: true })
  t.equal(await state(id), null)
})

t.test(
  'a market that was written late comes before its frames, in the order of what is said of it',
  async (t) => {
    const about = (atMs: number, id: string, change: object = {}) => {
      const { removed, ...fields } = { removed: undefined, ...change }
      const body = { market: { ...MARKET, id, ...fields }, rules: '', event: null, removed }
      return { from: 'a', record: recordOf('market', atMs, JSON.stringify(body)) }
    }
    const frame = (atMs: number) => ({ from: 'a', record: recordOf('frame', atMs, '') })
    const ordered = new MarketsFirst<string>()
    const order: string[] = []
    const apply = (run: readonly MergedRecord<string>[]) => {
      for (const { record } of run) {
        const said = record.kind === 'market' ? JSON.parse(record.body.toString()) : null
        order.push(
          said === null ? `${record.atMs}` : `${record.atMs} ${said.market.id} ${said.market.status}`
        )
      }
    }
    apply(ordered.take([about(1, 'a', { status: 'pending' }), frame(2), frame(3), about(4, 'b')]))
    t.same(order.splice(0), ['1 a pending', '2 b open'], 'b is new; the frames wait for others like it')
    apply(ordered.take([about(5, 'a'), about(6, 'b', { status: 'closed' }), about(7, 'b')]))
    t.same(order.splice(0), ['2 a open'], 'a begins to trade; what comes after the end of b waits for it')
    apply(ordered.take([frame(2_004)]))
    t.same(order.splice(0), ['2', '3'])
    apply(ordered.take([about(2_005, 'b', { removed: true }), frame(2_008), about(2_009, 'b')]))
    t.same(order.splice(0), ['6 b closed', '7 b open'])
    apply(ordered.finish())
    t.same(order.splice(0), ['2004', '2005 b open', '2008', '2009 b open'])
  }
)

t.test('journals are merged by time, each in its own order', async (t) => {
  const at = (...times: number[]) => times.map((atMs) => recordOf('frame', atMs, ''))
  const sources = [
    ['a', sourceOf(at(1, 5), at(4), at(9))],
    ['b', sourceOf(at(1, 2), [], at(8, 10))]
  ] as const
  const order: string[] = []
  for await (const run of mergeRecords(sources, { fromMs: 0, toMs: 100 }))
    for (const { from, record } of run) order.push(`${from}${record.atMs}`)
  t.same(order, ['a1', 'b1', 'b2', 'a5', 'a4', 'b8', 'a9', 'b10'])
})

function recordOf(kind: RecordKind, atMs: number, text: string, connection = 0): JournalRecord {
  return { kind, atMs, connection, body: Buffer.from(text) }
}

function sourceOf(...batches: JournalRecord[][]): RecordSource {
  return {
    async *records({ fromMs, toMs }) {
      for (const records of batches)
        yield { records: records.filter(({ atMs }) => atMs >= fromMs && atMs < toMs) }
    }
  }
}
