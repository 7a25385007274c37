import { execFileSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { JournalReader } from '../../../services/history/journal/reader.ts'
import type { JournalHole, JournalRecord } from '../../../services/history/journal/record.ts'
import { type AppendableFile, createFile } from '../../../services/history/journal/segment-file.ts'
import { JournalWriter, type JournalWriterOptions } from '../../../services/history/journal/writer.ts'

/** 2026-01-15T12:00:00Z */
const NOON = 1_768_478_400_000
const log = { info() {}, warn() {}, error() {} }

interface Fault {
  /** What each use of a file meets: it may wait, or throw. */
  meet: (what: 'open' | 'write' | 'datasync' | 'close') => Promise<void>
}

/** Real files, which meet whatever `fault` says first. */
function faultyFile(fault: Fault): (path: string) => Promise<AppendableFile> {
  return async (path) => {
    await fault.meet('open')
    const file = await createFile(path)
    return {
      write: async (...bytes) => {
        await fault.meet('write')
        return file.write(...bytes)
      },
      datasync: () => fault.meet('datasync').then(() => file.datasync()),
      truncate: (length) => file.truncate(length),
      close: () => file.close().then(() => fault.meet('close'))
    }
  }
}

function failure(code: string): Error {
  return Object.assign(new Error(`${code}: injected`), { code })
}

/** A writer of numbered frames, one a millisecond from NOON on, and what became of them. */
function setUp(t: Test, options: Partial<JournalWriterOptions> = {}) {
  const folder = options.folder ?? t.testdir()
  const fault: Fault = { meet: async () => {} }
  const told: JournalHole[] = []
  const writer = new JournalWriter({
    folder,
    name: 'books',
    flushMs: 10_000,
    retryMs: 5,
    log,
    onHole: (hole) => told.push(hole),
    openFile: faultyFile(fault),
    ...options
  })
  t.teardown(() => writer.stop())
  const reader = new JournalReader({ folder, name: 'books' })
  let next = 0
  const appendFrames = (count: number) => {
    for (let left = count; left > 0; left--)
      writer.appendText('frame', NOON + next, 1, `frame ${String(next++).padStart(4, '0')}`)
  }
  const read = async (): Promise<JournalRecord[]> => {
    const records: JournalRecord[] = []
    for await (const batch of reader.records({ fromMs: 0, toMs: 1e15 })) records.push(...batch.records)
    return records
  }
  const frames = async () => {
    return (await read()).filter(({ kind }) => kind === 'frame').map(({ atMs }) => atMs - NOON)
  }
  const recordedHoles = async () => {
    return (await read()).filter(({ kind }) => kind === 'hole').map(({ body }) => JSON.parse(body.toString()))
  }
  return { folder, fault, told, writer, reader, appendFrames, frames, recordedHoles }
}

async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await condition())) await sleep(2)
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at)
}

/** Holds every write until it is let go. */
function holdWrites(fault: Fault) {
  let open = () => {}
  const gate = new Promise<void>((resolve) => {
    open = resolve
  })
  let held = 0
  fault.meet = async (what) => {
    if (what !== 'write') return
    held++
    await gate
  }
  const letGo = () => {
    fault.meet = async () => {}
    open()
  }
  return { letGo, isHolding: () => held > 0 }
}

t.test('records are on the disk without a flush', async (t) => {
  const { writer, appendFrames, frames } = setUp(t, { flushMs: 10 })
  await writer.start()
  appendFrames(3)
  t.equal(writer.status().records, 3)
  await until(async () => (await frames()).length === 3)
  await until(() => writer.status().lagMs === 0)
  t.match(writer.status(), { state: 'ok', pendingBytes: 0, segments: 1, lostRecords: 0 })
})

t.test('a queue that is full costs one hole, and its bounds are exact', async (t) => {
  // Ten records fill a block: 17 bytes and a body of 10.
  const { fault, told, writer, appendFrames, frames, recordedHoles } = setUp(t, {
    blockBytes: 280,
    pendingBlocksMax: 4
  })
  await writer.start()
  appendFrames(50)
  await writer.flush()
  const { letGo, isHolding } = holdWrites(fault)
  appendFrames(300)
  await until(isHolding)
  t.strictSame(told, [], 'it is told when it is over')
  const { lostRecords, pendingBytes } = writer.status()
  t.equal(lostRecords, 250, 'four blocks wait, one is filled')
  t.ok(pendingBytes <= 5 * 280)
  const flushed = writer.flush()
  letGo()
  await flushed
  appendFrames(20)
  await writer.stop()

  const hole = { journal: 'books', fromMs: NOON + 100, toMs: NOON + 349, records: 250, reason: 'queue_full' }
  t.strictSame(told, [hole])
  t.strictSame(await recordedHoles(), [hole])
  t.strictSame(await frames(), [...range(0, 100), ...range(350, 370)])
  t.match(writer.status(), { records: 120, lostRecords: 250, holes: 1 })
})

t.test('bodies larger than a block count for what they are', async (t) => {
  const { fault, writer } = setUp(t, { blockBytes: 1_000, pendingBlocksMax: 8 })
  await writer.start()
  const { letGo } = holdWrites(fault)
  for (let at = 0; at < 20; at++) writer.append('rest', NOON + at, 1, Buffer.alloc(3_000))
  const { records, lostRecords } = writer.status()
  t.strictSame([records, lostRecords], [4, 16], 'three exceed the bound together, one is in the making')
  letGo()
})

for (const { code, state, reason } of [
  { code: 'ENOSPC', state: 'disk_full', reason: 'disk_full' },
  { code: 'EIO', state: 'failed', reason: 'write_failed' }
] as const) {
  t.test(`after ${code} it goes on in a new segment as soon as that works`, async (t) => {
    const { fault, told, writer, reader, appendFrames, frames, recordedHoles } = setUp(t)
    await writer.start()
    appendFrames(10)
    await writer.flush()
    let tries = 0
    fault.meet = async (what) => {
      if (what !== 'write') return
      tries++
      throw failure(code)
    }
    appendFrames(10)
    await writer.flush()
    t.match(writer.status(), { state, lostRecords: 10, pendingBytes: 0, lagMs: 0 })
    appendFrames(10)
    await writer.flush()
    await until(() => tries > 4)
    t.strictSame(told, [])
    fault.meet = async () => {}
    await until(() => writer.status().state === 'ok')
    appendFrames(10)
    await writer.stop()

    const hole = { journal: 'books', fromMs: NOON + 10, toMs: NOON + 29, records: 20, reason }
    t.strictSame(told, [hole])
    t.strictSame(await recordedHoles(), [hole])
    t.strictSame(await frames(), [...range(0, 10), ...range(30, 40)])
    t.match(await reader.segments(), [{ isSealed: false }, { isSealed: true }])
    t.strictSame(await reader.verify(), [], 'what was not written whole was cut off')
  })
}

t.test('what the disk does not confirm is lost', async (t) => {
  const { fault, told, writer, appendFrames } = setUp(t)
  await writer.start()
  fault.meet = async (what) => {
    if (what === 'datasync') throw failure('EIO')
  }
  appendFrames(10)
  await writer.flush()
  t.match(writer.status(), { state: 'failed', lostRecords: 10 })
  fault.meet = async () => {}
  await until(() => told.length > 0)
  t.match(told, [{ fromMs: NOON, toMs: NOON + 9, records: 10, reason: 'write_failed' }])
})

t.test('a hole that the journal had recorded is recorded again when that is lost', async (t) => {
  const { fault, told, writer, appendFrames, recordedHoles } = setUp(t)
  await writer.start()
  const fail = async () => {
    fault.meet = async (what) => {
      if (what !== 'open') throw failure('ENOSPC')
    }
    appendFrames(5)
    await writer.flush()
    fault.meet = async () => {}
    await until(() => writer.status().state === 'ok')
  }
  await fail()
  await fail()
  await writer.stop()
  t.match(told, [{ records: 5 }, { records: 5 }])
  t.strictSame(
    (await recordedHoles()).sort((a, b) => a.fromMs - b.fromMs),
    told
  )
  t.equal(writer.status().lostRecords, 10)
})

t.test('a folder that cannot be made is tried again', async (t) => {
  const folder = join(t.testdir({ journal: 'a file in the way' }), 'journal')
  const { told, writer, appendFrames, frames } = setUp(t, { folder })
  appendFrames(5)
  await writer.start()
  t.match(writer.status(), { state: 'failed', lostRecords: 5 })
  rmSync(folder)
  await until(() => writer.status().state === 'ok')
  appendFrames(5)
  await writer.flush()
  t.match(told, [{ fromMs: NOON, toMs: NOON + 4, records: 5, reason: 'write_failed' }])
  t.strictSame(await frames(), range(5, 10))
})

t.test('a file that cannot be made leaves nothing behind', async (t) => {
  const { folder, fault, told, writer, appendFrames } = setUp(t)
  await writer.start()
  for (const broken of ['open', 'write'] as const) {
    fault.meet = async (what) => {
      if (what === broken) throw failure('EMFILE')
    }
    appendFrames(1)
    await writer.flush()
    fault.meet = async () => {}
    await until(() => writer.status().state === 'ok')
  }
  await writer.stop()
  t.equal(told.length, 2)
  t.equal(readdirSync(join(folder, 'books')).length, 1)
})

t.test('two writers of one journal do not meet in one file', async (t) => {
  const folder = t.testdir()
  const now = () => NOON
  const writers = [setUp(t, { folder, now }), setUp(t, { folder, now })]
  for (const { writer } of writers) await writer.start()
  for (const { appendFrames } of writers) appendFrames(5)
  for (const { writer } of writers) await writer.stop()
  t.strictSame(
    writers.flatMap(({ told }) => told),
    []
  )
  t.strictSame(await writers[0]?.frames(), [...range(0, 5), ...range(0, 5)])
})

t.test('stop', async (t) => {
  await t.test('ends in time on a disk that does not answer', async (t) => {
    const { fault, told, writer, appendFrames } = setUp(t, { stopMs: 20 })
    await writer.start()
    const { letGo, isHolding } = holdWrites(fault)
    appendFrames(10)
    const flushed = writer.flush()
    await until(isHolding)
    appendFrames(5)
    await writer.stop()
    await flushed
    t.match(told, [{ fromMs: NOON, toMs: NOON + 14, records: 15, reason: 'write_failed' }])
    t.match(writer.status(), { state: 'stopped', lostRecords: 15, pendingBytes: 0 })
    letGo()
  })

  await t.test('tells a hole that is still open', async (t) => {
    const { fault, told, writer, appendFrames } = setUp(t)
    await writer.start()
    fault.meet = async () => {
      throw failure('ENOSPC')
    }
    appendFrames(3)
    await writer.flush()
    appendFrames(4)
    await writer.stop()
    t.match(told, [{ fromMs: NOON, toMs: NOON + 6, records: 7, reason: 'disk_full' }])
  })

  await t.test('leaves a segment unsealed that takes no footer; nothing is lost by it', async (t) => {
    const { fault, told, writer, reader, appendFrames, frames } = setUp(t)
    await writer.start()
    appendFrames(3)
    await writer.flush()
    fault.meet = async (what) => {
      if (what === 'write') throw failure('ENOSPC')
    }
    await writer.stop()
    t.strictSame(told, [])
    t.strictSame(await frames(), range(0, 3))
    t.strictSame(await reader.verify(), [])
  })

  await t.test('comes once, with or without a start, and drops what comes later', async (t) => {
    const { told, writer, appendFrames } = setUp(t)
    appendFrames(2)
    t.equal(writer.stop(), writer.stop())
    await writer.stop()
    appendFrames(1)
    await writer.flush()
    t.match(told, [{ records: 2, reason: 'write_failed' }])
    t.match(writer.status(), { state: 'stopped', lostRecords: 3 })
  })

  await t.test('stops its timers', async (t) => {
    const running = new Set<unknown>()
    const { setTimeout, clearTimeout } = globalThis
    const watch = (callback: () => void, ms: number) => {
      const timer = setTimeout(() => {
        running.delete(timer)
        callback()
      }, ms)
      running.add(timer)
      return timer
    }
    t.intercept(globalThis, 'setTimeout', { value: watch, configurable: true, writable: true })
    const unwatch = (timer: NodeJS.Timeout | undefined) => {
      running.delete(timer)
      clearTimeout(timer)
    }
    t.intercept(globalThis, 'clearTimeout', { value: unwatch, configurable: true, writable: true })

    const filling = setUp(t, { flushMs: 1e6 })
    await filling.writer.start()
    filling.appendFrames(1)
    t.equal(running.size, 1)
    await filling.writer.stop()
    t.equal(running.size, 0, 'of a block that was not full')

    const failing = setUp(t, { retryMs: 1e6 })
    failing.fault.meet = async () => {
      throw failure('EIO')
    }
    await failing.writer.start()
    failing.appendFrames(1)
    await failing.writer.flush()
    t.equal(running.size, 1)
    await failing.writer.stop()
    t.equal(running.size, 0, 'of a disk that failed')
  })
})

t.test('whoever is told of a hole may throw', async (t) => {
  const { fault, writer, appendFrames, frames } = setUp(t, {
    onHole: () => {
      throw new Error('thrown by the test')
    }
  })
  await writer.start()
  fault.meet = async () => {
    throw failure('EIO')
  }
  appendFrames(1)
  await writer.flush()
  fault.meet = async () => {}
  await until(() => writer.status().state === 'ok')
  appendFrames(1)
  await writer.flush()
  t.strictSame(await frames(), [1])
})

/** Mounts a disk of 1 MiB for a test; returns its folder, or why there is none. */
function mountSmallDisk(t: Test): { folder: string } | { obstacle: string } {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) {
    return { obstacle: 'only root on Linux can mount a small disk' }
  }
  // Not `t.testdir()`, which is removed before the teardown that unmounts.
  const folder = mkdtempSync(join(tmpdir(), 'crossbook-disk-'))
  t.teardown(() => rmdirSync(folder))
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'none', folder], { stdio: 'pipe' })
  } catch (error) {
    return { obstacle: `mount failed: ${(error as Error).message}` }
  }
  t.teardown(() => execFileSync('umount', [folder], { stdio: 'pipe' }))
  return { folder }
}

t.test('a disk that is really full', async (t) => {
  const disk = mountSmallDisk(t)
  if ('obstacle' in disk) {
    t.pass('skipped', { skip: disk.obstacle })
    return
  }
  const { folder } = disk
  const ballast = join(folder, 'ballast')
  writeFileSync(ballast, Buffer.alloc(600_000))
  const { told, writer, reader, frames, recordedHoles } = setUp(t, {
    folder,
    blockBytes: 16_384,
    openFile: createFile
  })
  await writer.start()
  let next = 0
  const appendNoise = async () => {
    for (let left = 20; left > 0; left--) writer.append('frame', NOON + next++, 1, randomBytes(1_000))
    await writer.flush()
  }
  while (writer.status().state === 'ok') await appendNoise()
  t.equal(writer.status().state, 'disk_full')
  for (let more = 0; more < 5; more++) await appendNoise()
  t.strictSame(told, [])

  rmSync(ballast)
  await until(() => writer.status().state === 'ok')
  for (let more = 0; more < 5; more++) await appendNoise()
  await writer.stop()

  const [hole] = told
  t.match(told, [{ reason: 'disk_full', records: writer.status().lostRecords }])
  t.ok(hole !== undefined && hole.records >= 100)
  t.strictSame(await recordedHoles(), told)
  t.strictSame(
    await frames(),
    range(0, next).filter((at) => NOON + at < (hole?.fromMs ?? 0) || NOON + at > (hole?.toMs ?? 0))
  )
  t.strictSame(await reader.verify(), [])
  t.notOk(readdirSync(join(folder, 'books')).includes('probe.tmp'))
})
