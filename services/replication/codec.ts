import { Decoder, Encoder } from '@msgpack/msgpack'
import type { EventHeader } from '../../schemas/event.ts'
import type { Market } from '../../schemas/market.ts'
import type { TradeNote } from '../venue/wire-tap.ts'

/**
 * What passes between the processes of a cluster. It is private to them: prices and sizes are scaled integers, and what is
 * not of this version is not read.
 */
export const FORMAT = 1

/** Reasons as bits, source, mismatches, sequence, the venue's time, ours, and when it was proved; null as in a verdict. */
export type VerdictFields = [
  reasons: number,
  source: number,
  mismatches: number,
  sequence: number | null,
  venueTimeMs: number | null,
  receivedAtMs: number | null,
  verifiedAtMs: number | null
]
/** Both sides whole, by ascending price. */
export type WholeBook = [yesPrices: number[], yesSizes: number[], noPrices: number[], noSizes: number[]]
/** Levels as they are now: `outcome * OUTCOME_STEP + price`, and the size there; 0 for a level that is gone. */
export type ChangedLevels = [levels: number[], sizes: number[]]
export type Metadata = [market: Market, rules: string, event: EventHeader | null]

/** Above every price. */
export const OUTCOME_STEP = 16_384

/**
 * What a market became between two of its versions. Levels are as they are at the later one, so that it may be applied
 * to any version in between. One that holds the whole book may be applied to anything.
 */
export type MarketChange = [
  id: string,
  from: number,
  to: number,
  verdict: VerdictFields,
  levels: ChangedLevels | null,
  whole: WholeBook | null,
  metadata: Metadata | null
]
/** A market that is served no more. */
export type MarketGone = [id: string]

/** One entry of a shard's stream. */
export interface ChangeEntry {
  epoch: number
  /** Counts the entries of an epoch from 1: one that is missing shows. */
  number: number
  /** How long the oldest change in it, or behind it, has waited at the writer, milliseconds. */
  backlogMs: number
  changes: (MarketChange | MarketGone)[]
  /** What was traded since the entry before, in the order in which it was heard. */
  trades: TradeNote[]
  /** After the first whole books of an epoch: of these venues, only what was told since its start is still served. */
  completeFor: string[] | null
}

/** What the whole books of a shard are complete up to. */
export interface ShardMark {
  epoch: number
  number: number
  /** The stream's id of that entry. */
  entryId: string
}

const encoder = new Encoder({ ignoreUndefined: true })
const decoder = new Decoder()

export function encodeEntry(entry: ChangeEntry): Buffer {
  const { epoch, number, backlogMs, changes, completeFor, trades } = entry
  return encode([FORMAT, epoch, number, backlogMs, changes, completeFor, trades])
}

/** Returns an entry; null where it is none of this version. */
export function decodeEntry(bytes: Uint8Array): ChangeEntry | null {
  const read = decode(bytes)
  if (!Array.isArray(read) || read[0] !== FORMAT || !Array.isArray(read[4])) return null
  const [, epoch, number, backlogMs, changes, completeFor, trades] = read as [
    number,
    number,
    number,
    number,
    never,
    never,
    never
  ]
  return { epoch, number, backlogMs, changes, completeFor, trades }
}

/** A market whole, as the shard's hash keeps it, with the epoch of its version. */
export function encodeBook(epoch: number, change: MarketChange): Buffer {
  return encode([FORMAT, epoch, change])
}

export function decodeBook(bytes: Uint8Array): { epoch: number; change: MarketChange } | null {
  const read = decode(bytes)
  if (!Array.isArray(read) || read[0] !== FORMAT || !Array.isArray(read[2])) return null
  return { epoch: read[1] as number, change: read[2] as MarketChange }
}

export function encodeMark({ epoch, number, entryId }: ShardMark): Buffer {
  return encode([FORMAT, epoch, number, entryId])
}

export function decodeMark(bytes: Uint8Array): ShardMark | null {
  const read = decode(bytes)
  if (!Array.isArray(read) || read[0] !== FORMAT) return null
  return { epoch: read[1] as number, number: read[2] as number, entryId: read[3] as string }
}

/** Returns any value as MessagePack. The bytes are the caller's own. */
export function encode(value: unknown): Buffer {
  const bytes = encoder.encode(value)
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

/** Returns what MessagePack bytes say; undefined where they say nothing. */
export function decode(bytes: Uint8Array): unknown {
  try {
    return decoder.decode(bytes)
  } catch {
    return undefined
  }
}
