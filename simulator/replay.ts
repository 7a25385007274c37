import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import type { SimVenue } from './model/types.ts'

export interface ReplayOptions {
  venue: SimVenue
  /** JSONL: each line a raw frame, or an object with `text`, `frame` or `msg` and perhaps `received_ms` or `recv_ms`. */
  file: string
  /** 1 is real time, 10 ten times faster; 0 as fast as the reader takes it. */
  speed: number
}

export interface RecordedFrame {
  /** When the recorder received it, epoch milliseconds; null where the line does not say. */
  atMs: number | null
  text: string
}

/**
 * Yields the frames of a recording in order. A blank line is skipped.
 *
 * @throws {SyntaxError} naming the line that is no JSON
 */
export async function* readFrames(file: string): AsyncGenerator<RecordedFrame> {
  const lines = createInterface({
    input: createReadStream(file, 'utf8'),
    crlfDelay: Number.POSITIVE_INFINITY
  })
  let number = 0
  for await (const line of lines) {
    number += 1
    if (line.trim() !== '') yield readLine(line, number)
  }
}

/** Sends a recording at its pace; ends early, without error, when aborted. */
export async function replayFrames(
  options: Pick<ReplayOptions, 'file' | 'speed'>,
  send: (text: string) => void,
  signal: AbortSignal
): Promise<void> {
  let firstMs: number | null = null
  const startedMs = performance.now()
  let sent = 0
  for await (const frame of readFrames(options.file)) {
    if (signal.aborted) return
    if (options.speed > 0 && frame.atMs !== null) {
      firstMs ??= frame.atMs
      const waitMs = (frame.atMs - firstMs) / options.speed - (performance.now() - startedMs)
      if (waitMs > 0 && !(await waited(waitMs, signal))) return
    } else if (++sent % 1_000 === 0 && !(await waited(0, signal))) return
    send(frame.text)
  }
}

async function waited(ms: number, signal: AbortSignal): Promise<boolean> {
  return sleep(ms, true, { signal }).catch(() => false)
}

function readLine(line: string, number: number): RecordedFrame {
  let value: unknown
  try {
    value = JSON.parse(line)
  } catch {
    throw new SyntaxError(`line ${number} of the recording is no JSON`)
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return { atMs: null, text: line }
  const envelope = value as Record<string, unknown>
  const atMs = envelope.received_ms ?? envelope.recv_ms
  const time = typeof atMs === 'number' ? atMs : null
  // `text` is byte-exact, so it goes first: where it stands, `frame` is a number.
  if (typeof envelope.text === 'string') return { atMs: time, text: envelope.text }
  for (const key of ['frame', 'msg']) {
    const frame = envelope[key]
    if (typeof frame === 'string') return { atMs: time, text: frame }
    const isEnvelope = key === 'frame' || time !== null
    if (isEnvelope && typeof frame === 'object' && frame !== null)
      return { atMs: time, text: JSON.stringify(frame) }
  }
  return { atMs: null, text: line }
}
