import { MAX_SIZE_E6, ONE_E4, type PriceE4, type SizeE6 } from '../numbers/decimal.ts'
import type { LevelList } from '../orderbook/levels.ts'

const PRICE_BYTES = 2
const LEVEL_BYTES = PRICE_BYTES + 8
const ROOM = 64 * 64 * LEVEL_BYTES

/**
 * Levels as ten bytes each: the price in two, the size as a double. A book is nearly all levels, and as text they took
 * half of what a start read.
 */
export class WarmLevels {
  private bytes: Buffer
  private used: number

  constructor(bytes: Buffer = Buffer.alloc(0)) {
    this.bytes = bytes
    this.used = bytes.length
  }

  get count(): number {
    return Math.floor(this.used / LEVEL_BYTES)
  }

  get written(): Buffer {
    return this.bytes.subarray(0, this.used)
  }

  push(price: PriceE4, size: SizeE6): void {
    if (this.bytes.length < this.used + LEVEL_BYTES) {
      const larger = Buffer.allocUnsafe(Math.max(ROOM, this.bytes.length * 2))
      this.written.copy(larger)
      this.bytes = larger
    }
    this.bytes.writeUInt16LE(price, this.used)
    this.bytes.writeDoubleLE(size, this.used + PRICE_BYTES)
    this.used += LEVEL_BYTES
  }

  /** Puts `count` levels from the `from`th on into a list of ascending prices; false if they are none. */
  read(list: LevelList, from: number, count: number): boolean {
    list.clear()
    if (!(isCount(from) && isCount(count) && from + count <= this.count)) return false
    for (let at = from * LEVEL_BYTES; at < (from + count) * LEVEL_BYTES; at += LEVEL_BYTES) {
      const price = this.bytes.readUInt16LE(at)
      const size = this.bytes.readDoubleLE(at + PRICE_BYTES)
      const isLevel = price <= ONE_E4 && size > 0 && size <= MAX_SIZE_E6 && Number.isInteger(size)
      if (!isLevel || !list.push(price, size)) return false
    }
    return list.sort()
  }
}

function isCount(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 0
}
