import { mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import {
  currentState,
  openState,
  readStateBytes,
  replaceStateFile,
  type StateBlock
} from '../../../services/history/warm-file.ts'
import { loadWarmState, type WarmMarkets, WarmStateWriter } from '../../../services/history/warm-state.ts'
import { NO, YES } from '../../../services/orderbook/arena.ts'
import { getDepth } from '../../../services/orderbook/depth.ts'
import { SnapshotStore } from '../../../services/snapshots/store.ts'
import { Catalogue } from '../../../services/venue/catalogue.ts'
import { market, RECEIVED_AT_MS, serve } from '../../helper.ts'

const SAVED_MS = RECEIVED_AT_MS + 10_000
const FILE = 'last-state.gz'

function newStore(capacityMarkets = 100): SnapshotStore {
  return new SnapshotStore({ capacityMarkets, capacityLevels: capacityMarkets * 64 })
}

function log() {
  const warnings: string[] = []
  return {
    warnings,
    info: () => {},
    warn: (said: unknown, message?: string) =>
      void warnings.push(message ?? (typeof said === 'string' ? said : ''))
  }
}

async function saved(t: Test, store: SnapshotStore): Promise<string> {
  const dataDir = mkdtempSync(join(tmpdir(), 'crossbook-warm-'))
  t.teardown(() => import('node:fs/promises').then(({ rm }) => rm(dataDir, { recursive: true })))
  const writer = new WarmStateWriter({ dataDir, store, now: () => SAVED_MS, log: log() })
  await writer.save()
  t.match(writer.status(), { savedAtMs: SAVED_MS, markets: store.size, failures: 0 })
  return dataDir
}

async function loaded(dataDir: string, store: SnapshotStore, said = log()): Promise<WarmMarkets> {
  const state = await readStateBytes(dataDir)
  return loadWarmState({ state, store, nowMs: SAVED_MS + 5_000, log: said })
}

t.test('a start begins with the last state, as stale as it is', async (t) => {
  const before = newStore()
  const records = Array.from({ length: 70 }, (_, n) => serve(before, market(n)))
  const dataDir = await saved(t, before)
  const store = newStore()
  const warm = await loaded(dataDir, store)
  t.match(warm, { size: 70, skipped: 0, ignoredFiles: 0, ageMs: 5_000 })
  for (const { id, slot, market, rules } of records) {
    const found = store.get(id)
    t.match(found, { market, rules })
    const { verdicts, arena } = store.books
    const now = found?.slot as number
    t.strictSame(getDepth(arena, now, 100), getDepth(before.books.arena, slot, 100))
    t.strictSame(
      { ...verdicts.get(now), state: 'live', reason: null },
      { ...before.books.verdicts.get(slot), state: 'live', reason: null }
    )
    t.match(verdicts.get(now), { state: 'stale', reason: 'disconnected', receivedAtMs: RECEIVED_AT_MS })
  }
  t.strictSame(store.eventIds(), before.eventIds())
  t.strictSame(store.getEvent('kalshi:KXTEST-EVENT-1'), before.getEvent('kalshi:KXTEST-EVENT-1'))
})

t.test('a book that was doubtful, or had none, is no better after a restart', async (t) => {
  const before = newStore()
  serve(before, market(1))
  const doubtful = serve(before, market(2))
  before.books.raise(doubtful.slot, 'sequence_gap')
  before.books.raise(doubtful.slot, 'silent')
  before.put(market(3), '')
  const halted = serve(before, market(4))
  before.patch(halted.id, { status: 'halted' })
  const store = newStore()
  await loaded(await saved(t, before), store)
  const states = [1, 2, 3, 4].map((n) => {
    const slot = store.get(market(n).id)?.slot as number
    return [store.books.verdicts.state(slot), store.books.verdicts.reason(slot)]
  })
  t.strictSame(states, [
    ['stale', 'disconnected'],
    ['suspect', 'sequence_gap'],
    ['syncing', 'awaiting_snapshot'],
    ['halted', 'venue_paused']
  ])
  const slot = store.get(market(2).id)?.slot as number
  store.books.resynced(slot)
  t.equal(store.books.verdicts.state(slot), 'live', 'a snapshot answers all of it')
})

t.test('a discovery takes warm markets over in their slots, and the others leave', async (t) => {
  const before = newStore()
  for (let n = 0; n < 5; n++) serve(before, market(n))
  before.patch(market(4).id, { status: 'closed' })
  const store = newStore()
  const warm = await loaded(await saved(t, before), store)
  const slots = [0, 1, 2].map((n) => store.get(market(n).id)?.slot)
  const catalogue = new Catalogue({ venue: 'kalshi', sink: store, maxMarkets: 10, retentionMs: 1_000 })
  const found = [0, 1, 2, 9].map((n) => ({ market: market(n), rules: 'It settles.', event: null }))
  const { added } = catalogue.apply(found)
  t.strictSame(
    [0, 1, 2].map((n) => added.find(({ id }) => id === market(n).id)?.slot),
    slots
  )
  t.equal(warm.size, 5)
  t.equal(
    warm.releaseUnclaimed('polymarket', () => false),
    0
  )
  t.equal(
    warm.releaseUnclaimed('kalshi', (id) => catalogue.has(id)),
    2
  )
  t.equal(warm.size, 0)
  t.strictSame(
    [...store.records()].map(({ id }) => id).sort(),
    [0, 1, 2, 9].map((n) => market(n).id)
  )
  store.remove(market(9).id)
  t.equal(
    warm.releaseUnclaimed('kalshi', () => false),
    0,
    'once'
  )
})

t.test('where there is less room, markets that trade come first', async (t) => {
  const before = newStore()
  for (let n = 0; n < 6; n++) serve(before, market(n, n < 3 ? { status: 'settled' } : {}))
  const dataDir = await saved(t, before)
  const store = newStore(3)
  t.match(await loaded(dataDir, store), { size: 3, skipped: 3 })
  t.ok([...store.records()].every(({ market }) => market.status === 'open'))
  const crowded = new SnapshotStore({ capacityMarkets: 10, capacityLevels: 8 })
  await loaded(dataDir, crowded)
  for (const { slot } of crowded.records()) {
    t.equal(crowded.books.arena.count(slot, YES), 0)
    t.ok(crowded.books.verdicts.has(slot, 'awaiting_snapshot'))
    t.ok(crowded.books.verdicts.has(slot, 'disconnected'))
  }
})

t.test('what is in the store already is newer', async (t) => {
  const before = newStore()
  serve(before, market(1))
  const dataDir = await saved(t, before)
  const store = newStore()
  const record = serve(store, market(1, { title: 'newer' }))
  t.match(await loaded(dataDir, store), { size: 0, skipped: 1 })
  t.equal(store.books.verdicts.state(record.slot), 'live')
})

t.test('a file that is torn or foreign is ignored, with one warning', async (t) => {
  const before = newStore()
  for (let n = 0; n < 20; n++) serve(before, market(n))
  const dataDir = await saved(t, before)
  const path = join(dataDir, FILE)
  const whole = readFileSync(path)
  const bytes = gunzipSync(whole)
  const changed = (from: string, to: string) =>
    gzipSync(Buffer.from(bytes.toString('latin1').replace(from, to), 'latin1'))
  const files = [
    whole.subarray(0, whole.length - 9),
    Buffer.from('not packed'),
    Buffer.alloc(0),
    gzipSync(''),
    gzipSync('{"some":"thing"}'),
    gzipSync(bytes.subarray(0, bytes.length - 1)),
    changed('"version":3', '"version":9'),
    changed('"shape":"', '"shape":-')
  ]
  for (const bad of files) {
    writeFileSync(path, bad)
    const said = log()
    const store = newStore()
    t.match(await loaded(dataDir, store, said), { size: 0, ignoredFiles: 1, ageMs: null })
    t.equal(store.size, 0)
    t.equal(said.warnings.length, 1)
    t.match(
      said.warnings[0],
      /^the last state in \S+last-state\.gz cannot be used \([^\n]+\): it is ignored$/
    )
  }
})

t.test('a row that is no market, or whose levels are none, is left out', async (t) => {
  const before = newStore()
  for (let n = 0; n < 8; n++) serve(before, market(n))
  const dataDir = await saved(t, before)
  const state = await readStateBytes(dataDir)
  if (!('bytes' in state)) throw new Error('it was saved')
  const { header, blocks } = openState(state.bytes)
  const [block] = [...blocks] as [StateBlock]
  const rows = block.rows as { levels: { from: number; bids: number; asks: number } }[]
  const spoilt = rows.map((row, n) => {
    const { levels } = row
    return [
      null,
      { ...row, levels: { ...levels, bids: 10_000 } },
      { ...row, levels: { ...levels, from: -1 } },
      { ...row, levels: { ...levels, asks: 0.5 } },
      { ...row, levels: { ...levels, asks: undefined } },
      { ...row, levels: null },
      row,
      row
    ][n]
  })
  // The first price of the last market is beyond 1.
  block.levels.writeUInt16LE(10_001, (rows.at(-1)?.levels.from as number) * 10)
  await replaceStateFile(
    dataDir,
    header,
    (async function* () {
      yield { rows: spoilt, levels: block.levels }
    })()
  )
  const store = newStore()
  t.match(await loaded(dataDir, store), { size: 1, skipped: 7, ignoredFiles: 0 })
  t.ok(store.get(market(6).id))
})

t.test('a file that is spoilt behind its first block leaves nothing in the store', async (t) => {
  const before = newStore(400)
  for (let n = 0; n < 130; n++) {
    const { slot } = serve(before, market(n))
    for (let price = 1; price < 40; price++) before.books.arena.setLevel(slot, NO, price, price + n)
  }
  const dataDir = await saved(t, before)
  const store = newStore(400)
  t.match(await loaded(dataDir, store), { size: 130, skipped: 0 })
  const last = store.get(market(129).id)?.slot as number
  t.equal(store.books.arena.count(last, NO), before.books.arena.count(129, NO))
  const bytes = gunzipSync(readFileSync(join(dataDir, FILE)))
  const other = newStore(400)
  for (const spoilt of [bytes.subarray(0, bytes.length - 1), Buffer.concat([bytes, Buffer.alloc(9, 0x7f)])]) {
    writeFileSync(join(dataDir, FILE), gzipSync(spoilt))
    t.match(await loaded(dataDir, other), { size: 0, ignoredFiles: 1, ageMs: null })
    t.equal(other.size, 0)
  }
})

t.test('what was read early counts only while it is still the file that is there', async (t) => {
  const before = newStore()
  serve(before, market(1))
  const dataDir = await saved(t, before)
  const early = await readStateBytes(dataDir)
  t.equal(await currentState(dataDir, early), early)
  serve(before, market(2))
  await new WarmStateWriter({ dataDir, store: before, now: () => SAVED_MS + 1, log: log() }).save()
  const store = newStore()
  const state = await currentState(dataDir, early)
  t.match(await loadWarmState({ state, store, nowMs: SAVED_MS, log: log() }), { size: 2 })
  const none = await readStateBytes('/nonexistent')
  t.equal(await currentState('/nonexistent', none), none)
})

t.test('without a file a start is a cold one', async (t) => {
  const said = log()
  const store = newStore()
  t.match(await loaded('/nonexistent', store, said), { size: 0, ageMs: null, ignoredFiles: 0 })
  t.strictSame(said.warnings, [])
  await loaded('/dev/null/x', store, said)
  t.equal(said.warnings.length, 1)
})

t.test('saving goes on by itself, and an empty store does not replace what was saved', async (t) => {
  const store = newStore()
  const dataDir = mkdtempSync(join(tmpdir(), 'crossbook-warm-'))
  const said = log()
  const writer = new WarmStateWriter({ dataDir, store, now: () => SAVED_MS, log: said, everyMs: 1 })
  writer.start()
  await writer.save()
  t.strictSame(readdirSync(dataDir), [])
  serve(store, market(1))
  const gone = serve(store, market(2))
  while (writer.status().savedAtMs === null) await new Promise((resolve) => setTimeout(resolve, 1))
  await writer.stop()
  const saving = writer.save()
  t.equal(writer.save(), saving, 'one at a time')
  store.remove(gone.id)
  await saving
  t.strictSame(readdirSync(dataDir), [FILE])
  t.match(await loaded(dataDir, newStore()), { size: 1 })
  const broken = new WarmStateWriter({ dataDir: '/dev/null/x', store, now: () => SAVED_MS, log: said })
  await broken.save()
  t.match(broken.status(), { failures: 1, savedAtMs: null })
  t.equal(said.warnings.length, 1)
})

t.test('a start that failed leaves the last state as it was', async (t) => {
  const store = newStore()
  serve(store, market(1))
  const dataDir = await saved(t, store)
  const before = readFileSync(join(dataDir, FILE))
  const writer = new WarmStateWriter({ dataDir, store, now: () => SAVED_MS + 60_000, log: log() })
  await writer.stop()
  t.ok(readFileSync(join(dataDir, FILE)).equals(before))
})

t.test('levels come back on both sides', async (t) => {
  const before = newStore()
  const { slot } = serve(before, market(1))
  for (let price = 1; price < 60; price++)
    before.books.arena.setLevel(slot, price % 2 ? YES : NO, price, price)
  before.books.touch(slot)
  const store = newStore()
  await loaded(await saved(t, before), store)
  const now = store.get(market(1).id)?.slot as number
  for (const side of [YES, NO] as const) {
    t.equal(store.books.arena.sidePrint(now, side), before.books.arena.sidePrint(slot, side))
    t.equal(store.books.arena.count(now, side), before.books.arena.count(slot, side))
  }
})
