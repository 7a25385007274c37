import WebSocket from 'ws'
import { SupervisedSocket } from '../../services/venue/supervised-socket.ts'
import { answer, startOptions } from '../harness/answer.ts'
import { cpuMicros } from '../harness/cpu.ts'
import { type BenchVenue, differingBooks, naivePipeline, productPipeline } from './pipelines.ts'

/**
 * `reference`: `ws`, toString, JSON.parse, result thrown away. `naive`: the same, and applied to Maps. `product`: the
 * socket, decoder and store of the product; `generic` without its scanner, `audited` with books watched for audits. `check`: the product and the naive program
 * side by side on one stream, to be compared.
 */
export type Pipeline = 'reference' | 'naive' | 'product' | 'generic' | 'audited' | 'check'

export interface ReceiverOptions {
  venue: BenchVenue
  pipeline: Pipeline
  url: string
  markets: number
}

/** A reading of the receiver's counters, all at one instant. */
export interface Mark {
  frames: number
  cpuMicros: number
  wallMs: number
}

const { venue, pipeline, url, markets } = startOptions<ReceiverOptions>()
const HOUR_MS = 3_600_000
let frames = 0

const product =
  pipeline === 'reference' || pipeline === 'naive'
    ? null
    : productPipeline(venue, markets, {
        useScanner: pipeline !== 'generic',
        isAudited: pipeline === 'audited'
      })
const naive = pipeline === 'naive' || pipeline === 'check' ? naivePipeline(venue, markets) : null
const snapshots = product?.counters.frames ?? 0

if (product === null) await connectBare()
else await connectSupervised(product.apply)

answer(({ question }) => {
  if (question === 'mark') return { frames, cpuMicros: cpuMicros(), wallMs: performance.now() } satisfies Mark
  if (question === 'differing' && product !== null && naive !== null)
    return differingBooks(venue, product, naive)
  if (question === 'ignored' && product !== null) {
    const { counters } = product
    // The complement's half of a price change is counted and left out on purpose.
    return [...counters.ignored].filter(([reason]) => reason !== 'complement').concat(lost(counters.frames))
  }
  throw new Error(`cannot answer ${JSON.stringify(question)} as ${pipeline}`)
})

function lost(seen: number): [string, number][] {
  return seen - snapshots === frames ? [] : [['lost', frames - seen + snapshots]]
}

async function connectBare(): Promise<void> {
  const socket = new WebSocket(url, { perMessageDeflate: false })
  const keep = naive
  if (keep === null) {
    socket.on('message', (data) => {
      frames++
      JSON.parse((data as Buffer).toString())
    })
  } else {
    socket.on('message', (data) => {
      frames++
      keep.apply((data as Buffer).toString())
    })
  }
  await new Promise((resolve, reject) => socket.once('open', resolve).once('error', reject))
}

async function connectSupervised(apply: (frame: Buffer, receivedAtMs: number) => void): Promise<void> {
  const keep = naive
  const onFrame =
    keep === null
      ? (frame: Buffer, receivedAtMs: number) => {
          frames++
          apply(frame, receivedAtMs)
        }
      : (frame: Buffer, receivedAtMs: number) => {
          frames++
          apply(frame, receivedAtMs)
          keep.apply(frame.toString())
        }
  await new Promise<void>((resolve) => {
    const socket = new SupervisedSocket({
      name: 'bench',
      url,
      keepAlive: { kind: 'ping', everyMs: HOUR_MS, timeoutMs: HOUR_MS },
      onOpen: resolve,
      onFrame,
      onDown: (reason) => {
        throw new Error(reason)
      },
      log: { info: () => {}, warn: () => {} }
    })
    socket.start()
  })
}
