import { existsSync, readFileSync } from 'node:fs'
import t from 'tap'
import { BookTable } from '../../../services/integrity/book-table.ts'
import { PolymarketBooks } from '../../../services/polymarket/books.ts'
import { type ParsedBook, parseRestBook } from '../../../services/polymarket/parse.ts'
import { TrueVenue } from './true-venue.ts'

/** Longer than the quiet that ends a group. */
const QUIET_MS = 40
const HOLD_MS = 250

interface Setup {
  percent?: number
  useScanner?: boolean
  /** Whether REST told what a hash is made of. */
  hasFacts?: boolean
}

function setUp({ percent = 50, useScanner = true, hasFacts = true }: Setup = {}) {
  const table = new BookTable({ capacityMarkets: 4, capacityLevels: 10_000 })
  const clock = { ms: 1_000, costMs: 0 }
  const corrupt: string[] = []
  const refused: string[] = []
  const books = new PolymarketBooks({
    table,
    useScanner,
    hashBudgetPercent: percent,
    now: () => clock.ms,
    steadyNow: () => {
      clock.ms += clock.costMs
      return clock.ms
    },
    onCorrupt: (_assetId, _slot, reason) => corrupt.push(reason),
    onRefused: (reason) => refused.push(reason)
  })
  const follow = (venue: TrueVenue) => {
    const slot = table.allocate()
    books.follow(venue.yes, slot, venue.no, venue.market)
    if (hasFacts) books.seed(parseRestBook(venue.rest()) as ParsedBook, clock.ms, false)
    send(venue.snapshot())
    return slot
  }
  const send = (...frames: (string | Buffer)[]) => {
    for (const frame of frames) books.apply(Buffer.from(frame as string), clock.ms)
  }
  const wait = (ms: number) => {
    for (let waited = 0; waited < ms; waited += 5) {
      clock.ms += 5
      if (waited % 25 === 0) books.settle(clock.ms)
    }
  }
  const venue = new TrueVenue()
  const slot = follow(venue)
  wait(QUIET_MS)
  return {
    table,
    books,
    clock,
    corrupt,
    refused,
    follow,
    send,
    wait,
    venue,
    slot,
    verdict: () => table.verdicts.get(slot),
    reread: () => books.seed(parseRestBook(venue.rest()) as ParsedBook, clock.ms, true)
  }
}

for (const useScanner of [true, false]) {
  t.test(useScanner ? 'with the byte scanner' : 'on the generic path', async (t) => {
    t.test('proves the book by the hash of each message, and the complement by its own', async (t) => {
      const { books, send, wait, venue, verdict, clock } = setUp({ useScanner })
      const snapshotAtMs = verdict().verifiedAtMs as number
      t.ok(snapshotAtMs > 0, 'the snapshot proves itself')
      for (let i = 1; i <= 40; i++) {
        send(...venue.change(['bid', 20 + (i % 15), i], ['ask', 60 + (i % 9), i]))
        clock.ms += 3
      }
      wait(QUIET_MS)
      t.ok((verdict().verifiedAtMs as number) > snapshotAtMs)
      t.match(verdict(), { state: 'live', mismatches: 0 })
      t.match(books.proofStatus(), { hashesMatched: 41, skipped: 0, mismatches: 0, provable: 1 })
      if (useScanner) t.ok(books.proofStatus().mirrorsMatched >= 4)
      t.notOk(books.counters.seen.has('complement_is_no_mirror'))
    })

    t.test('finds a lost change within its group and 250 ms, and a fresh book ends it', async (t) => {
      const { send, wait, venue, verdict, corrupt, reread } = setUp({ useScanner })
      venue.change(['bid', 39, 7])
      send(...venue.change(['ask', 47, 3]))
      wait(QUIET_MS)
      t.equal(verdict().state, 'live', 'a trade may still explain it')
      wait(HOLD_MS)
      t.match(verdict(), { state: 'suspect', reason: 'hash_mismatch', mismatches: 1 })
      t.same(corrupt, ['hash_mismatch'])
      t.equal(reread(), 'taken')
      t.match(verdict(), { state: 'live', mismatches: 1 })
      send(...venue.change(['ask', 47, 4]))
      wait(QUIET_MS + HOLD_MS)
      t.match(verdict(), { state: 'live', mismatches: 1 })
    })

    t.test('finds it on a book that never pauses', async (t) => {
      const { send, wait, venue, verdict } = setUp({ useScanner })
      venue.change(['bid', 39, 7])
      for (let i = 1; i <= 30 && verdict().state === 'live'; i++) {
        send(...venue.change(['ask', 47, i]))
        wait(10)
      }
      t.match(verdict(), { reason: 'hash_mismatch', mismatches: 1 })
    })

    t.test('takes a later hash that matches for the proof that nothing is missing', async (t) => {
      const { send, wait, venue, verdict, corrupt } = setUp({ useScanner })
      venue.change(['bid', 39, 7])
      send(...venue.change(['ask', 47, 3]))
      wait(QUIET_MS)
      // The level whose change was lost is told again.
      send(...venue.change(['bid', 39, 8]))
      wait(QUIET_MS + HOLD_MS)
      t.match(verdict(), { state: 'live', mismatches: 0 })
      t.same(corrupt, [])
    })

    t.test('catches the ghost that two messages in the wrong order leave', async (t) => {
      const { send, wait, venue, verdict } = setUp({ useScanner })
      const [first] = venue.change(['bid', 39, 7])
      const [second] = venue.change(['bid', 39, 0])
      send(second as string, first as string)
      wait(QUIET_MS + HOLD_MS)
      t.equal(verdict().reason, 'hash_mismatch')
    })

    t.test('does not mind an order that makes no difference, nor a message told twice', async (t) => {
      const { send, wait, venue, verdict, books } = setUp({ useScanner })
      const [first] = venue.change(['bid', 39, 7])
      const [second] = venue.change(['ask', 47, 3])
      send(second as string, first as string)
      wait(QUIET_MS + HOLD_MS)
      const [third] = venue.change(['ask', 48, 3])
      send(third as string, third as string)
      wait(QUIET_MS + HOLD_MS)
      t.match(verdict(), { state: 'live', mismatches: 0 })
      t.equal(books.proofStatus().mismatches, 0)
    })

    t.test('goes on proving when the venue puts its clock back, by much or by little', async (t) => {
      for (const backMs of [60_000, 20]) {
        const { send, wait, venue, verdict, books } = setUp({ useScanner })
        for (let i = 1; i <= 10; i++) send(...venue.change(['bid', 30, i]))
        venue.atMs -= backMs
        const { hashesMatched } = books.proofStatus()
        for (let i = 1; i <= 10; i++) send(...venue.change(['bid', 31, i]))
        wait(QUIET_MS + HOLD_MS)
        t.match(verdict(), { state: 'live', mismatches: 0 })
        t.ok(books.proofStatus().hashesMatched >= hashesMatched + 9)
      }
    })

    t.test('never judges inside a group', async (t) => {
      const { send, wait, venue, verdict } = setUp({ useScanner })
      const [first, second] = venue.change(['bid', 39, 7], ['bid', 38, 7])
      send(first as string)
      wait(10)
      send(second as string)
      wait(QUIET_MS + HOLD_MS)
      t.match(verdict(), { state: 'live', mismatches: 0 })
    })

    t.test('learns the last trade from what a match consumed', async (t) => {
      const { send, wait, venue, verdict, books } = setUp({ useScanner })
      send(...venue.match('0.430', ['bid', 44, 10], ['ask', 43, 0]))
      send(venue.tradeBook())
      wait(QUIET_MS)
      send(...venue.change(['bid', 30, 5]))
      wait(QUIET_MS)
      t.match(verdict(), { state: 'live', mismatches: 0 })
      t.equal(books.proofStatus().hashesMatched, 3)
      t.notOk(books.counters.seen.has('last_trade_found'))
    })

    t.test('learns it from a level that a match only made smaller', async (t) => {
      const { send, wait, venue, verdict, books } = setUp({ useScanner })
      send(...venue.match('0.430', ['ask', 43, 12]))
      wait(QUIET_MS)
      t.equal(books.proofStatus().hashesMatched, 2, 'at once')
      wait(HOLD_MS)
      t.match(verdict(), { state: 'live', mismatches: 0 })
      t.notOk(books.counters.seen.has('last_trade_found'))
    })

    t.test('waits for a trade that its group does not show', async (t) => {
      const { send, wait, venue, verdict, books } = setUp({ useScanner })
      send(...venue.match('0.420', ['bid', 30, 1]))
      send(...venue.match('0.370', ['bid', 30, 2]))
      wait(QUIET_MS)
      const provedAtMs = verdict().verifiedAtMs as number
      wait(100)
      send(venue.trade('0.37'))
      t.ok((verdict().verifiedAtMs as number) > provedAtMs)
      wait(HOLD_MS)
      t.match(verdict(), { state: 'live', mismatches: 0 })
      t.notOk(books.counters.seen.has('last_trade_found'))
    })

    t.test('tries every last trade there can be before it calls a book wrong', async (t) => {
      const { send, wait, venue, verdict, books } = setUp({ useScanner })
      send(...venue.match('0.370', ['bid', 30, 1]))
      wait(QUIET_MS + HOLD_MS)
      t.match(verdict(), { state: 'live', mismatches: 0 })
      t.equal(books.counters.seen.get('last_trade_found'), 1)
    })

    t.test('follows the tick size, which is part of the hash', async (t) => {
      const { send, wait, venue, verdict } = setUp({ useScanner })
      send(...venue.change(['bid', 39, 7]))
      send(venue.tick('0.001'))
      send(...venue.change(['bid', 38, 7]))
      wait(QUIET_MS + HOLD_MS)
      t.match(verdict(), { state: 'live', mismatches: 0 })
      // A REST answer from before the change does not bring the old one back.
      const old = { ...venue.rest(), timestamp: String(venue.changedAtMs - 5) }
      t.notSame(old, venue.rest())
      send(...venue.change(['bid', 37, 7]))
      wait(QUIET_MS + HOLD_MS)
      t.match(verdict(), { state: 'live', mismatches: 0 })
    })

    t.test('finds the change that stood in a frame with a broken byte', async (t) => {
      for (const spoil of [
        (frame: Buffer) => frame.fill(0xff, 12, 13),
        (frame: Buffer) => frame.subarray(0, frame.length - 9)
      ]) {
        const { send, wait, venue, verdict, refused } = setUp({ useScanner })
        const [lost] = venue.change(['bid', 39, 7])
        send(spoil(Buffer.from(lost as string)))
        t.equal(refused.length, 1)
        t.equal(verdict().state, 'live', 'nothing tells whose book it was')
        send(...venue.change(['ask', 47, 3]))
        wait(QUIET_MS + HOLD_MS)
        t.match(verdict(), { state: 'suspect', reason: 'hash_mismatch' })
      }
    })

    t.test('without what a hash is made of, goes by the best prices', async (t) => {
      const { send, wait, venue, verdict, corrupt, books, slot } = setUp({ useScanner, hasFacts: false })
      t.ok(books.needsFacts(slot))
      venue.change(['bid', 42, 7])
      for (let i = 1; i <= 2; i++) {
        send(...venue.change(['bid', 30, i]))
        wait(QUIET_MS)
        t.equal(verdict().state, 'live')
      }
      send(...venue.change(['bid', 30, 3]))
      wait(QUIET_MS)
      t.match(verdict(), { state: 'suspect', reason: 'hash_mismatch', verifiedAtMs: null })
      t.same(corrupt, ['best_price_mismatch'])
    })

    t.test('a drifted book stays suspect until changes are understood again', async (t) => {
      const { send, wait, venue, verdict, corrupt, reread, follow } = setUp({ useScanner })
      const other = new TrueVenue('8')
      follow(other)
      const renamed = (frames: string[]) => frames.map((frame) => frame.replaceAll('"size"', '"amount"'))
      send(...renamed(venue.change(['bid', 39, 7])))
      t.match(verdict(), { state: 'suspect', reason: 'drift' })
      t.same(corrupt, ['drift'])
      t.equal(reread(), 'taken')
      wait(100)
      t.match(
        verdict(),
        { state: 'suspect', reason: 'drift' },
        'the next change would be lost as the last one'
      )
      send(...renamed(other.change(['bid', 39, 7])))
      wait(100)
      t.equal(verdict().reason, 'drift')
      send(...other.change(['bid', 38, 7]))
      wait(50)
      t.equal(verdict().state, 'live')
    })

    t.test('a change of no known asset is drift of the market that its message names', async (t) => {
      const { send, venue, verdict, refused } = setUp({ useScanner })
      const spoils: [string, string][] = [
        ['"asset_id"', '"token"'],
        ['"price_changes"', '"changes_v2"']
      ]
      for (const [from, to] of spoils) {
        send(...venue.change(['bid', 39, 7]).map((frame) => frame.replaceAll(from, to)))
        t.match(verdict(), { state: 'suspect', reason: 'drift' }, to)
        send(...venue.change(['bid', 39, 8]), venue.snapshot())
        t.equal(verdict().state, 'live')
      }
      t.ok(refused.includes('market_drift'))
    })
  })
}

t.test('calls no book wrong by a rule that REST books do not follow', async (t) => {
  const { send, wait, venue, verdict, books, slot } = setUp({ hasFacts: false })
  const odd = { ...venue.rest(), hash: 'ab'.repeat(20) }
  books.seed(parseRestBook(odd) as ParsedBook, 1, true)
  t.equal(books.counters.seen.get('rest_book_unproved'), 1)
  t.ok(books.needsFacts(slot))
  venue.change(['bid', 39, 7])
  send(...venue.change(['ask', 47, 3]))
  wait(QUIET_MS + HOLD_MS)
  t.match(verdict(), { state: 'live', mismatches: 0, verifiedAtMs: null })
})

t.test('above its budget it proves some, and always the last message before a pause', async (t) => {
  const { send, wait, venue, verdict, books, clock } = setUp({ percent: 1 })
  clock.costMs = 1
  for (let i = 1; i <= 200; i++) send(...venue.change(['bid', 30, i]))
  const { hashesMatched, skipped } = books.proofStatus()
  t.ok(skipped > 150, `${skipped} skipped`)
  t.ok(hashesMatched < 20)
  clock.costMs = 0
  const beforeMs = verdict().verifiedAtMs as number
  wait(1_000)
  t.ok((verdict().verifiedAtMs as number) > beforeMs, 'the pause is proved when there is time')
})

t.test('with no budget it proves nothing', async (t) => {
  const { send, wait, venue, verdict, books } = setUp({ percent: 0 })
  send(...venue.change(['bid', 30, 1]))
  wait(QUIET_MS)
  t.match(books.proofStatus(), { hashesMatched: 0, provable: 0 })
  t.equal(verdict().verifiedAtMs, null)
})

t.test('tells readers of a proof at most once a second where no change of the book does', async (t) => {
  const { send, wait, venue, table, slot } = setUp()
  wait(2_000)
  send(...venue.change(['bid', 30, 1]))
  const version = table.versions[slot] as number
  wait(QUIET_MS)
  t.equal(table.versions[slot], version + 1)
  send(...venue.change(['bid', 30, 2]))
  wait(QUIET_MS)
  t.equal(table.versions[slot], version + 2, 'the change itself')
})

const CAPTURES = '../shared/data/polymarket/ws'
const withCaptures = existsSync(CAPTURES) ? {} : { skip: 'the captures are not on this machine' }

t.test('a captured session raises no alarm, and each of its messages is proved', withCaptures, async (t) => {
  const lines = readFileSync(`${CAPTURES}/market_btc_updown_5m_2026-08-16.jsonl`, 'utf8').trim().split('\n')
  const messages = lines.map((line) => JSON.parse(line).msg)
  const table = new BookTable({ capacityMarkets: 1, capacityLevels: 10_000 })
  const clock = { ms: 0 }
  const books = new PolymarketBooks({ table, hashBudgetPercent: 100, steadyNow: () => clock.ms })
  const [own, complement] = messages
  const slot = table.allocate()
  books.follow(own.asset_id, slot, complement.asset_id, own.market)
  // What the wire does not say; the capture's notes give it.
  books.seed(parseRestBook({ ...own, min_order_size: '5', neg_risk: false }) as ParsedBook, 1, false)
  for (const message of messages) {
    clock.ms += 7
    books.apply(Buffer.from(JSON.stringify(message)), clock.ms)
    books.settle(clock.ms)
  }
  clock.ms += 1_000
  books.settle(clock.ms)
  t.match(books.proofStatus(), { hashesMatched: 72, skipped: 0, mismatches: 0 })
  t.ok(books.proofStatus().mirrorsMatched > 5)
  t.match(table.verdicts.get(slot), { state: 'live', mismatches: 0 })
  t.same([...books.counters.seen], [])
})
