import { ByteIndex } from '../venue/byte-index.ts'

const TAIL_DIGITS = 9
const ZERO = 0x30

/**
 * Which book an asset of a frame belongs to. A followed market's first token has the book; its complement is known
 * only so that it can be told from a stranger, which is worth no second look-up of 77 digits for each message.
 */
export class AssetIndex {
  private readonly slots = new ByteIndex()
  private readonly complements = new Map<string, number>()
  /** By slot. */
  private readonly assetIds: string[] = []
  /** By slot; null where it is not known. */
  private readonly complementIds: (string | null)[] = []
  /** By slot: the last digits of the complement's id; NaN where it is not known. */
  private readonly complementTails: Float64Array

  constructor(capacityMarkets: number) {
    this.complementTails = new Float64Array(capacityMarkets).fill(Number.NaN)
  }

  follow(assetId: string, slot: number, complementId: string | null): void {
    this.slots.set(assetId, slot)
    this.assetIds[slot] = assetId
    this.complementIds[slot] = complementId
    this.complementTails[slot] = Number.NaN
    if (complementId === null) return
    this.complements.set(complementId, slot)
    const id = Buffer.from(complementId, 'latin1')
    this.complementTails[slot] = tailOf(id, 0, id.length)
  }

  unfollow(assetId: string, complementId: string | null): void {
    this.slots.delete(assetId)
    if (complementId !== null) this.complements.delete(complementId)
  }

  /** Returns the slot of a first token by its id as text. */
  get(assetId: string): number | undefined {
    return this.slots.get(assetId)
  }

  /** Returns the slot of a first token by its id in the held frame, or -1. */
  find(start: number, end: number): number {
    return this.slots.find(start, end)
  }

  assetOf(slot: number): string {
    return this.assetIds[slot] as string
  }

  /** Returns the complement of the asset in a slot; null where it is not known. */
  complementOf(slot: number): string | null {
    return this.complementIds[slot] ?? null
  }

  /** Returns the slot of the book whose complement an asset is. */
  getComplement(assetId: string): number | undefined {
    return this.complements.get(assetId)
  }

  /** True when an asset that stands in one message with the first token of `slot` is its complement. */
  isComplementOf(slot: number, bytes: Uint8Array, start: number, end: number): boolean {
    return tailOf(bytes, start, end) === this.complementTails[slot]
  }

  entries(): IterableIterator<[assetId: string, slot: number]> {
    return this.slots.entries()
  }
}

function tailOf(bytes: Uint8Array, start: number, end: number): number {
  let value = 0
  for (let at = Math.max(start, end - TAIL_DIGITS); at < end; at++)
    value = value * 10 + (bytes[at] as number) - ZERO
  return value
}
