import { RangeInvalidError } from '../../errors.ts'

/** The last row of a page: its time and, among rows of that millisecond, its place in the order of writing. */
export interface Position {
  atMs: number
  rowNo: number
}

/** Which list a cursor belongs to: one of another list is refused rather than misread. */
export type CursorKind = 'snapshots' | 'trades'

export function formatCursor(kind: CursorKind, { atMs, rowNo }: Position): string {
  return Buffer.from(`${kind}.${atMs}.${rowNo}`).toString('base64url')
}

/**
 * Reads what `formatCursor` wrote.
 *
 * @throws {RangeInvalidError} where it was not this that wrote it, or for another list
 */
export function parseCursor(kind: CursorKind, cursor: string): Position {
  const text = Buffer.from(cursor, 'base64url').toString()
  const [, given, at, rowNo] = /^([a-z]+)\.(-?\d{1,16})\.(\d{1,16})$/.exec(text) ?? []
  const position = { atMs: Number(at), rowNo: Number(rowNo) }
  const whole = Number.isSafeInteger(position.atMs) && Number.isSafeInteger(position.rowNo)
  if (given !== kind || !whole || formatCursor(kind, position) !== cursor)
    throw new RangeInvalidError(`the cursor ${JSON.stringify(cursor.slice(0, 80))} is none of this list`)
  return position
}
