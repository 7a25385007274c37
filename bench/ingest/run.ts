import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchContext } from '../figure.ts'
import { BenchProcess } from '../harness/child-process.ts'
import { interleave } from '../harness/rounds.ts'
import type { BenchVenue } from './pipelines.ts'
import type { Mark, Pipeline, ReceiverOptions } from './receiver.ts'
import type { StandInOptions, StreamName } from './stand-in.ts'

export interface IngestPlan<Case extends Pipeline> {
  venue: BenchVenue
  stream: StreamName
  pipelines: readonly Case[]
  /** Frames in a turn of the stream; for numbered ones a power of ten. */
  frames: number
  markets: number
  measureMs: number
  /** Frames a second; null for as many as the receiver takes. */
  perSecond: number | null
  /** Frames that the product and the naive program both read before their books are compared. */
  checkFrames: number
}

/** What one pipeline did in one round. */
export interface IngestReading {
  framesPerSecond: number
  /** CPU time of the receiving process, microseconds a frame. */
  microsPerFrame: number
  /** Share of one core that the receiving process used. */
  cores: number
}

const WARM_UP_MS = 700

/**
 * Lets each pipeline read the same stream in its own process, round by round, and returns its readings.
 *
 * @throws {Error} if the product's books differ from the naive ones after the same frames, or it left one out
 */
export async function runIngest<Case extends Pipeline>(
  plan: IngestPlan<Case>,
  { rounds, progress }: BenchContext
): Promise<Record<Case, IngestReading[]>> {
  const { venue, stream, pipelines, frames, markets, measureMs, perSecond } = plan
  const started: BenchProcess[] = []
  const start = async (...given: Parameters<typeof BenchProcess.start>) => {
    const child = await BenchProcess.start(...given)
    started.push(child)
    return child
  }
  try {
    progress('encoding frames')
    const standIn = await start('ingest/stand-in.ts', 'load', {
      stream,
      frames,
      markets
    } satisfies StandInOptions)
    const port = await standIn.ask<number>({ port: true })
    const receive = (pipeline: Pipeline) => {
      const url = `ws://127.0.0.1:${port}/${pipeline}`
      return start('ingest/receiver.ts', 'measured', {
        venue,
        pipeline,
        url,
        markets
      } satisfies ReceiverOptions)
    }

    progress('comparing books with the naive program')
    await compareBooks(plan, standIn, await receive('check'))

    const receivers = new Map<Case, BenchProcess>()
    for (const pipeline of pipelines) receivers.set(pipeline, await receive(pipeline))
    const measure = async (pipeline: Case, ms: number): Promise<IngestReading> => {
      const receiver = receivers.get(pipeline) as BenchProcess
      await standIn.ask({ run: `/${pipeline}`, limit: null, perSecond })
      await sleep(100)
      const before = await receiver.ask<Mark>({ question: 'mark' })
      await sleep(ms)
      const after = await receiver.ask<Mark>({ question: 'mark' })
      await drained(receiver, await standIn.ask<number>({ stop: `/${pipeline}` }))
      return readingOf(before, after)
    }
    progress('warming up')
    for (const pipeline of pipelines) await measure(pipeline, Math.min(WARM_UP_MS, measureMs))
    const readings = await interleave(
      rounds,
      pipelines,
      (pipeline) => measure(pipeline, measureMs),
      (round) => progress(`round ${round + 1} of ${rounds}`)
    )
    for (const [pipeline, receiver] of receivers) {
      if (pipeline !== 'reference' && pipeline !== 'naive') await assertNothingIgnored(receiver)
    }
    return readings
  } finally {
    await Promise.all(started.map((child) => child.stop()))
  }
}

async function compareBooks(
  { checkFrames }: { checkFrames: number },
  standIn: BenchProcess,
  receiver: BenchProcess
): Promise<void> {
  await standIn.ask({ run: '/check', limit: checkFrames, perSecond: null })
  await drained(receiver, checkFrames)
  const differing = await receiver.ask<number>({ question: 'differing' })
  if (differing > 0) throw new Error(`${differing} books differ from those that JSON.parse gives`)
  await assertNothingIgnored(receiver)
  await receiver.stop()
}

async function assertNothingIgnored(receiver: BenchProcess): Promise<void> {
  const ignored = await receiver.ask<[string, number][]>({ question: 'ignored' })
  if (ignored.length > 0) throw new Error(`the product left frames out: ${JSON.stringify(ignored)}`)
}

const DRAIN_TIMEOUT_MS = 30_000

/** Resolves once the receiver has read everything that was sent to it. */
async function drained(receiver: BenchProcess, sent: number): Promise<void> {
  const giveUpAt = performance.now() + DRAIN_TIMEOUT_MS
  for (;;) {
    const { frames } = await receiver.ask<Mark>({ question: 'mark' })
    if (frames >= sent) return
    if (performance.now() > giveUpAt) throw new Error(`${sent} frames were sent, ${frames} were read`)
    await sleep(5)
  }
}

function readingOf(before: Mark, after: Mark): IngestReading {
  const frames = after.frames - before.frames
  const micros = after.cpuMicros - before.cpuMicros
  const wallMs = after.wallMs - before.wallMs
  if (frames === 0) throw new Error('no frame was read within a round')
  return {
    framesPerSecond: (frames / wallMs) * 1_000,
    microsPerFrame: micros / frames,
    cores: micros / 1_000 / wallMs
  }
}
