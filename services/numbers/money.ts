import { formatScaled, type PriceE4, type SizeE6 } from './decimal.ts'

/** Exact dollars as an integer of 10^-10: a price times a size. BigInt, since sums pass 2^53. */
export type MoneyE10 = bigint

/** Returns the exact dollars that `size` contracts cost at `price`. */
export function notional(price: PriceE4, size: SizeE6): MoneyE10 {
  return BigInt(price) * BigInt(size)
}

/** Returns the shortest decimal text of exact dollars. */
export function formatMoney(money: MoneyE10): string {
  const unit = 10n ** 10n
  const magnitude = money < 0n ? -money : money
  const rest = Number(magnitude % unit)
  const fraction = formatScaled(rest, 10).slice(1)
  return `${money < 0n ? '-' : ''}${magnitude / unit}${fraction}`
}
