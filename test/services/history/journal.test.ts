import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { pruneJournal } from '../../../services/history/journal/prune.ts'
import { JournalReader } from '../../../services/history/journal/reader.ts'
import {
  type JournalHole,
  type JournalPosition,
  type JournalRecord,
  RECORD_KINDS
} from '../../../services/history/journal/record.ts'
import { JournalWriter, type JournalWriterOptions } from '../../../services/history/journal/writer.ts'

const HOUR_MS = 3_600_000
/** 2026-01-15T12:00:00Z: an hour begins. */
const NOON = 1_768_478_400_000
const log = { info() {}, warn() {}, error() {} }

async function openWriter(folder: string, options: Partial<JournalWriterOptions> = {}) {
  const writer = new JournalWriter({
    folder,
    name: 'kalshi',
    flushMs: 1_000,
    log,
    onHole: (hole) => t.fail('a hole', { hole }),
    ...options
  })
  await writer.start()
  return writer
}

async function readAll(
  reader: JournalReader,
  {
    fromMs = 0,
    toMs = Number.MAX_SAFE_INTEGER,
    ...start
  }: { fromMs?: number; toMs?: number; start?: JournalPosition } = {}
): Promise<JournalRecord[]> {
  const records: JournalRecord[] = []
  for await (const batch of reader.records({ fromMs, toMs, ...start })) records.push(...batch.records)
  return records
}

/** Numbered frames, `blocks` blocks of ten; block `n` holds the times from NOON + 10n on. */
async function writeBlocks(folder: string, blocks: number, name = 'kalshi') {
  const writer = await openWriter(folder, { name })
  for (let block = 0; block < blocks; block++) {
    for (let at = block * 10; at < block * 10 + 10; at++) {
      writer.appendText('frame', NOON + at, 1, `frame ${at}`, `key ${block % 3}`)
    }
    await writer.flush()
  }
  return writer
}

function numbers(records: JournalRecord[]): number[] {
  return records.map(({ body }) => Number(body.toString().split(' ')[1]))
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at)
}

/** Path of the segment that was written last. */
function lastSegment(folder: string, name = 'kalshi'): string {
  return join(folder, name, readdirSync(join(folder, name)).sort().at(-1) as string)
}

/** Where each block's header begins. */
function blockOffsets(path: string): number[] {
  const bytes = readFileSync(path)
  const offsets: number[] = []
  for (let at = bytes.indexOf('XBk1'); at !== -1; at = bytes.indexOf('XBk1', at + 1)) offsets.push(at)
  return offsets
}

function flipByte(path: string, at: number): void {
  const bytes = readFileSync(path)
  bytes[at] = (bytes[at] as number) ^ 0x40
  writeFileSync(path, bytes)
}

t.test('any sequence of records reads back as it was appended', async (t) => {
  const record = fc.record({
    kind: fc.constantFrom(...RECORD_KINDS),
    stepMs: fc.oneof(fc.nat(2_000), fc.nat(2 * HOUR_MS), fc.integer({ min: -500, max: 0 })),
    connection: fc.nat(0xffff_ffff),
    body: fc.oneof(
      fc.uint8Array({ maxLength: 40 }),
      // Longer than the blocks below, each now and then.
      fc.uint8Array({ minLength: 300, maxLength: 900 }),
      fc.string({ unit: 'binary', maxLength: 200 })
    ),
    isFlushed: fc.boolean()
  })
  const folder = t.testdir()
  let runs = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(record, { maxLength: 60 }),
      fc.integer({ min: 32, max: 400 }),
      async (sequence, blockBytes) => {
        const name = `run-${runs++}`
        // All of it is appended before the disk has a chance: the bound of what waits is tested elsewhere.
        const limits = { blockBytes, segmentBytes: 4_000, pendingBlocksMax: 1_000_000 }
        const writer = await openWriter(folder, { name, ...limits })
        const reader = new JournalReader({ folder, name })
        const expected: JournalRecord[] = []
        let atMs = NOON
        for (const { kind, stepMs, connection, body, isFlushed } of sequence) {
          atMs += stepMs
          if (typeof body === 'string') writer.appendText(kind, atMs, connection, body)
          else writer.append(kind, atMs, connection, body)
          expected.push({ kind, atMs, connection, body: Buffer.from(body) })
          // Reading on the way makes the reader go on from what it knew of a growing segment.
          if (isFlushed && expected.length % 4 === 0) {
            await writer.flush()
            t.strictSame(await readAll(reader), expected)
          }
        }
        await writer.stop()
        t.strictSame(await readAll(reader), expected, 'the reader that looked on the way')
        t.strictSame(await readAll(new JournalReader({ folder, name })), expected, 'a new reader')
        const [fromMs, toMs] = [NOON + HOUR_MS / 2, NOON + 3 * HOUR_MS]
        t.strictSame(
          await readAll(reader, { fromMs, toMs }),
          expected.filter((entry) => entry.atMs >= fromMs && entry.atMs < toMs)
        )
        t.strictSame(await reader.verify(), [])
        const segments = await reader.segments()
        t.ok(segments.every(({ isSealed, digest }) => isSealed && digest?.length === 64))
        t.equal(
          segments.reduce((sum, { records }) => sum + records, 0),
          expected.length
        )
        t.equal(writer.status().segments, segments.length)
        t.equal(
          writer.status().bytesWritten,
          segments.reduce((sum, { bytes }) => sum + bytes, 0)
        )
      }
    ),
    { numRuns: 40 }
  )
})

t.test('each hour has its segment, and a restart within it another one', async (t) => {
  const folder = t.testdir()
  const now = () => NOON
  const first = await openWriter(folder, { now })
  first.appendText('frame', NOON + 1, 1, 'one')
  first.appendText('frame', NOON + HOUR_MS, 1, 'two')
  await first.stop()
  const second = await openWriter(folder, { now })
  second.appendText('frame', NOON + HOUR_MS + 1, 1, 'three')
  await second.stop()

  const reader = new JournalReader({ folder, name: 'kalshi' })
  t.match(await reader.segments(), [
    { name: '20260115T120000000Z-000000.journal', fromMs: NOON + 1, toMs: NOON + 1, records: 1 },
    { name: '20260115T120000000Z-000001.journal', fromMs: NOON + HOUR_MS, records: 1 },
    { name: '20260115T120000000Z-000002.journal', fromMs: NOON + HOUR_MS + 1, records: 1 }
  ])
  t.strictSame(await reader.span(), { fromMs: NOON + 1, toMs: NOON + HOUR_MS + 1 })
  t.strictSame(
    (await readAll(reader)).map(({ body }) => body.toString()),
    ['one', 'two', 'three']
  )
})

t.test('a journal that does not exist is empty', async (t) => {
  const reader = new JournalReader({ folder: join(t.testdir(), 'nowhere'), name: 'books' })
  t.equal(await reader.span(), null)
  t.equal(await reader.findLast('a', NOON), null)
  t.strictSame(await readAll(reader), [])
  t.strictSame(await reader.verify(), [])
})

t.test('findLast', async (t) => {
  const folder = t.testdir()
  const writer = await writeBlocks(folder, 7)
  const reader = new JournalReader({ folder, name: 'kalshi' })
  const [segment] = readdirSync(join(folder, 'kalshi'))

  const checks = async (t: Test) => {
    t.strictSame(await reader.findLast('key 0', NOON + 1_000), { segment, block: 6 })
    t.strictSame(await reader.findLast('key 0', NOON + 60), { segment, block: 6 }, 'at its first record')
    t.strictSame(await reader.findLast('key 0', NOON + 59), { segment, block: 3 }, 'just before')
    t.strictSame(await reader.findLast('key 2', NOON + 49), { segment, block: 2 })
    t.equal(await reader.findLast('key 2', NOON + 19), null, 'before its first record')
    t.equal(await reader.findLast('key', NOON + 1_000), null, 'a part of a key is none')
    t.equal(await reader.findLast('ey 0', NOON + 1_000), null)
    t.equal(await reader.findFirst('key 1'), NOON + 10)
    t.equal(await reader.findFirst('key'), null)
  }
  await t.test('while the segment is being written', checks)
  await writer.stop()
  await t.test('in a sealed segment', checks)

  await t.test('says where to begin reading', async (t) => {
    const start = await reader.findLast('key 1', NOON + 1_000)
    t.strictSame(numbers(await readAll(reader, { start: start as JournalPosition })), range(40, 70))
  })

  await t.test('passes over a block that is damaged', async (t) => {
    const path = join(folder, 'kalshi', segment as string)
    const keeper = new JournalReader({ folder, name: 'kalshi', keptBytes: 1 << 20 })
    await keeper.findLast('key 1', NOON + 1_000)
    const damagedAt = (blockOffsets(path)[5] as number) - 9
    flipByte(path, damagedAt)
    t.strictSame(await reader.findLast('key 1', NOON + 1_000), { segment, block: 1 })
    t.strictSame(await keeper.findLast('key 1', NOON + 1_000), { segment, block: 4 }, 'not if it was kept')
    flipByte(path, damagedAt)
  })

  await t.test('looks in earlier segments too', async (t) => {
    const next = await openWriter(folder)
    next.appendText('book', NOON + HOUR_MS, 0, 'frame 70', 'key 9')
    await next.stop()
    t.strictSame(await reader.findLast('key 1', NOON + 2 * HOUR_MS), { segment, block: 4 })
    t.match(await reader.findLast('key 9', NOON + 2 * HOUR_MS), { block: 0 })
  })
})

t.test('damage costs the block that it is in', async (t) => {
  const verdict = (path: string) => new JournalReader({ folder: join(path, '../..'), name: 'kalshi' })
  const damaged = async (t: Test, isSealed: boolean, damage: (path: string) => void) => {
    const folder = t.testdir()
    const writer = await writeBlocks(folder, 5)
    if (isSealed) await writer.stop()
    else t.teardown(() => writer.stop())
    damage(lastSegment(folder))
    const told: JournalHole[] = []
    const reader = new JournalReader({ folder, name: 'kalshi', onHole: (hole) => told.push(hole) })
    return { holes: await verdict(lastSegment(folder)).verify(), told, read: numbers(await readAll(reader)) }
  }
  const without = (block: number) => range(0, 50).filter((number) => Math.floor(number / 10) !== block)
  const hole = (block: number, reason: string) => {
    return { journal: 'kalshi', fromMs: NOON + block * 10, toMs: NOON + block * 10 + 9, records: 10, reason }
  }
  const end = (path: string) => statSync(path).size

  for (const isSealed of [true, false]) {
    await t.test(`records, ${isSealed ? 'sealed' : 'unsealed'}`, async (t) => {
      const result = await damaged(t, isSealed, (path) =>
        flipByte(path, (blockOffsets(path)[3] as number) - 9)
      )
      t.strictSame(result, { holes: [hole(2, 'corrupt')], told: [hole(2, 'corrupt')], read: without(2) })
    })
  }
  await t.test('a header, whose place the footer knows', async (t) => {
    const { holes, read } = await damaged(t, true, (path) =>
      flipByte(path, (blockOffsets(path)[2] as number) + 50)
    )
    t.match(holes, [{ reason: 'corrupt', records: 0, fromMs: NOON + 20 }])
    t.strictSame(read, range(0, 50))
  })
  await t.test('a header that nothing else tells of', async (t) => {
    const { holes, told, read } = await damaged(t, false, (path) =>
      flipByte(path, (blockOffsets(path)[2] as number) + 1)
    )
    t.match(holes, [{ reason: 'corrupt', records: 10, fromMs: NOON + 19, toMs: NOON + 30 }])
    t.strictSame(told, holes)
    t.strictSame(read, without(2))
  })
  await t.test('the head of a segment', async (t) => {
    for (const isSealed of [true, false]) {
      const { holes, read } = await damaged(t, isSealed, (path) => flipByte(path, 3))
      t.match(holes, [{ reason: 'corrupt', records: 0 }])
      t.strictSame(read, range(0, 50))
    }
  })
  await t.test('the footer', async (t) => {
    for (const back of [200, 60, 10]) {
      const { holes, read } = await damaged(t, true, (path) => flipByte(path, end(path) - back))
      t.match(holes, [{ reason: 'corrupt', records: 0 }])
      t.strictSame(read, range(0, 50))
    }
  })
  await t.test('the end of a segment whose writer was killed', async (t) => {
    const lost = { holes: [hole(4, 'torn')], read: without(4) }
    const untold = { ...lost, told: [] }
    t.match(await damaged(t, false, (path) => truncateSync(path, end(path) - 1)), untold)
    t.match(
      await damaged(t, false, (path) => flipByte(path, end(path) - 9)),
      untold,
      'long enough, but not written'
    )
    const inHeader = await damaged(t, false, (path) =>
      truncateSync(path, (blockOffsets(path)[4] as number) + 20)
    )
    t.match(inHeader, { holes: [{ reason: 'torn', records: 0, fromMs: NOON + 39 }], read: without(4) })
    const inFooter = await damaged(t, true, (path) => truncateSync(path, end(path) - 30))
    t.match(inFooter, { holes: [], read: range(0, 50) })
    const inHead = await damaged(t, false, (path) => truncateSync(path, 10))
    t.match(inHead, { holes: [{ reason: 'torn', records: 0 }], read: [] })
  })
})

t.test('what flush acknowledged outlives kill -9', async (t) => {
  const folder = t.testdir({
    'child.ts': `
      import { JournalWriter } from ${JSON.stringify(resolve('services/history/journal/writer.ts'))}
      const writer = new JournalWriter({
        folder: process.argv[2], name: 'kalshi', flushMs: 20, blockBytes: 4096, segmentBytes: 200_000,
        onHole: () => process.exit(1), log: console
      })
      await writer.start()
      let next = 0
      for (;;) {
        const until = next + 1 + (next % 700)
        while (next < until) writer.appendText('frame', ${NOON} + next, 1, 'frame ' + next++ + ' ' + Math.random())
        const flushed = writer.flush()
        // What comes behind it is under way when the kill comes.
        for (let more = 0; more < 50; more++) writer.appendText('frame', ${NOON} + next, 1, 'frame ' + next++)
        await flushed
        process.stdout.write(until + '\\n')
      }
    `
  })
  for (const kills of [3, 20, 61]) {
    const data = join(folder, String(kills))
    const child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', join(folder, 'child.ts'), data], {
      stdio: ['ignore', 'pipe', 'inherit']
    })
    t.teardown(() => child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    let acknowledged = 0
    let lines = 0
    for await (const line of createInterface({ input: child.stdout as NodeJS.ReadableStream })) {
      acknowledged = Number(line)
      if (++lines === kills) child.kill('SIGKILL')
    }
    t.strictSame(await exited, [null, 'SIGKILL'])
    const reader = new JournalReader({ folder: data, name: 'kalshi' })
    const read = numbers(await readAll(reader))
    t.ok(acknowledged > 0 && read.length >= acknowledged, `${acknowledged} acknowledged, ${read.length} read`)
    t.strictSame(read, range(0, read.length), 'in order, each once')
    t.ok((await reader.verify()).every(({ reason }) => reason === 'torn'))
    // The next run goes on beside what was left.
    const next = await openWriter(data)
    next.appendText('frame', NOON + read.length, 1, `frame ${read.length}`)
    await next.stop()
    t.strictSame(numbers(await readAll(reader)), range(0, read.length + 1))
  }
})

t.test('pruneJournal', async (t) => {
  /** Three sealed segments for each journal, an hour apart; the last of `open` is still being written. */
  const setUp = async (t: Test) => {
    const folder = t.testdir()
    const names = ['kalshi', 'polymarket', 'open']
    for (const name of names) {
      const writer = await openWriter(folder, { name })
      for (const hour of [0, 1, 2]) writer.appendText('frame', NOON + hour * HOUR_MS, 1, `${name} ${hour}`)
      if (name !== 'open') await writer.stop()
      else {
        await writer.flush()
        t.teardown(() => writer.stop())
      }
    }
    const left = async () => {
      const texts = await Promise.all(names.map((name) => readAll(new JournalReader({ folder, name }))))
      return texts.flat().map(({ body }) => body.toString())
    }
    const [{ bytes } = { bytes: 0 }] = await new JournalReader({ folder, name: 'kalshi' }).segments()
    return { folder, left, bytes }
  }
  const all = (from: number) => {
    return ['kalshi', 'polymarket', 'open'].flatMap((name) => range(from, 3).map((hour) => `${name} ${hour}`))
  }

  await t.test('deletes what is too old', async (t) => {
    const { folder, left } = await setUp(t)
    const limits = { folder, maxAgeMs: HOUR_MS, maxBytes: 1e9 }
    t.strictSame(await pruneJournal({ ...limits, nowMs: NOON + HOUR_MS }), { deleted: [], bytes: 0 })
    const pruned = await pruneJournal({ ...limits, nowMs: NOON + HOUR_MS + 1 })
    t.equal(pruned.deleted.length, 3)
    t.ok(pruned.bytes > 0)
    t.strictSame(await left(), all(1))
  })
  await t.test('deletes the oldest of all journals until the rest is small enough', async (t) => {
    const { folder, left, bytes } = await setUp(t)
    const limits = { folder, maxAgeMs: 1e12, nowMs: NOON }
    const pruned = await pruneJournal({ ...limits, maxBytes: bytes * 6.5 })
    t.equal(pruned.deleted.length, 3)
    t.strictSame(await left(), all(1))
  })
  await t.test('spares what is being written', async (t) => {
    const { folder, left } = await setUp(t)
    await pruneJournal({ folder, maxAgeMs: 0, maxBytes: 0, nowMs: NOON + 1e9 })
    t.strictSame(await left(), ['open 2'])
  })
  await t.test('finds nothing in a folder that does not exist', async (t) => {
    const limits = { maxAgeMs: 0, maxBytes: 0, nowMs: NOON }
    t.strictSame(await pruneJournal({ folder: join(t.testdir(), 'nowhere'), ...limits }), {
      deleted: [],
      bytes: 0
    })
  })
})
