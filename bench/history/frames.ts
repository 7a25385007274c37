import { FIRST_TURN, type FrameCycle } from '../synthetic/frame-cycle.ts'
import { kalshiDeltas } from '../synthetic/kalshi.ts'
import { polymarketChanges } from '../synthetic/polymarket.ts'

export type FrameStream = 'kalshi-deltas' | 'polymarket-changes'

/** A frame without its WebSocket header, valid until the next; and when it comes. */
export interface ReceivedFrame {
  bytes: Buffer
  atMs: number
}

/** Longer than what a compressor looks back at, so that a turn that comes again is as good as new. */
const FRAMES_A_TURN = 10_000
const PER_MS = 2
const START_MS = 1_795_176_000_000
const ISO_MARK = '"ts":"'
const EPOCH_MARK: Record<FrameStream, string> = {
  'kalshi-deltas': '"ts_ms":',
  'polymarket-changes': '"timestamp":"'
}

/** Returns what gives one frame of a stream after the other, numbered and dated as if they came live. */
export function frameWalker(stream: FrameStream, markets: number): () => ReceivedFrame {
  const isKalshi = stream === 'kalshi-deltas'
  const cycle = (isKalshi ? kalshiDeltas : polymarketChanges)(FRAMES_A_TURN, markets)
  const epochMark = EPOCH_MARK[stream]
  let frames = 0
  return () => {
    const index = frames % FRAMES_A_TURN
    const atMs = START_MS + Math.floor(frames / PER_MS)
    if (cycle.turnAt !== null) {
      const turn = FIRST_TURN + Math.floor(frames / FRAMES_A_TURN)
      cycle.bytes.write(String(turn), cycle.turnAt[index] as number, 'latin1')
    }
    const bytes = payloadOf(cycle, index)
    stamp(bytes, epochMark, String(atMs))
    // The venue's microseconds are its own.
    if (isKalshi)
      stamp(bytes, ISO_MARK, `${new Date(atMs).toISOString().slice(0, -1)}${((frames * 7919) % 900) + 100}Z`)
    frames++
    return { bytes, atMs }
  }
}

function payloadOf({ bytes, ends }: FrameCycle, index: number): Buffer {
  const start = index === 0 ? 0 : (ends[index - 1] as number)
  const header = (bytes[start + 1] as number) < 126 ? 2 : 4
  return bytes.subarray(start + header, ends[index])
}

/** Writes over what follows a mark. */
function stamp(bytes: Buffer, mark: string, text: string): void {
  bytes.write(text, bytes.lastIndexOf(mark) + mark.length, 'latin1')
}
