import { randomBytes } from 'node:crypto'
import type { MarketRecord } from './market-record.ts'
import type { SnapshotStore } from './store.ts'

/** Versions start anew with the process: without this, a tag of an earlier one could seem current. */
const BOOT_HIGH = randomBytes(4).readInt32LE()
const BOOT_LOW = randomBytes(4).readInt32LE()

/**
 * Returns a text that changes when anything in an answer changes: the given numbers, which markets it shows, in
 * which order, and the version of each. 64 bits, of two independent mixes.
 */
export function stampOfSlots(
  store: SnapshotStore,
  slots: ArrayLike<number>,
  numbers: readonly number[]
): string {
  const { versions } = store.books
  let high = BOOT_HIGH
  let low = BOOT_LOW
  for (let i = 0; i < numbers.length; i++) {
    high = mix(high, numbers[i] as number, 0x9e3779b1)
    low = mix(low, numbers[i] as number, 0x85ebca6b)
  }
  for (let i = 0; i < slots.length; i++) {
    const slot = slots[i] as number
    const version = versions[slot] as number
    high = mix(mix(high, slot, 0x9e3779b1), version, 0xc2b2ae35)
    low = mix(mix(low, slot, 0x85ebca6b), version, 0x27d4eb2f)
  }
  return text(high) + text(low)
}

/** Does what `stampOfSlots` does for the records `from` to `to`. */
export function stampOf(
  store: SnapshotStore,
  records: readonly MarketRecord[],
  from: number,
  to: number,
  ...numbers: number[]
): string {
  const slots = records.slice(from, to).map(({ slot }) => slot)
  return stampOfSlots(store, slots, numbers)
}

function mix(state: number, value: number, factor: number): number {
  const mixed = Math.imul(state ^ value, factor)
  return mixed ^ (mixed >>> 15)
}

/** Seven digits of base 36 hold 32 bits. */
function text(value: number): string {
  return (value >>> 0).toString(36).padStart(7, '0')
}
