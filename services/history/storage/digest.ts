import { createHash } from 'node:crypto'
import type { Cell } from './sql-columns.ts'

/** Returns 64 bits that stand for the content of a row, as the decimal text of a signed integer. */
export function digestOf(cells: readonly Cell[]): string {
  return createHash('sha1').update(JSON.stringify(cells)).digest().readBigInt64BE().toString()
}
