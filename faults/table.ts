import { styleText } from 'node:util'
import type { Row } from './lane.ts'

const HEADINGS = [
  'fault',
  'venue',
  'detected by',
  'after',
  'wrong while live',
  'recovered',
  'lost',
  'false alarms',
  ''
]
type Colour = Parameters<typeof styleText>[0]

/** Returns the rows as a table in plain text, coloured where a terminal wants it; failures follow their row. */
export function tableOf(rows: readonly Row[], leftOut: readonly string[]): string {
  const lines = [HEADINGS, ...rows.map(cells), ...leftOut.map((name) => [name, '', 'left out'])]
  const widths = HEADINGS.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  const pad = (line: string[]) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  const [heading = [], ...body] = lines
  const out = [paint('bold', pad(heading))]
  for (const [index, line] of body.entries()) {
    const row = rows[index]
    const isFailed = row !== undefined && row.failures.length > 0
    out.push(paint(row === undefined ? 'dim' : isFailed ? 'red' : 'green', pad(line)))
    for (const failure of row?.failures ?? []) out.push(`    ${failure}`)
    for (const failure of row?.first ?? []) out.push(`    the first time: ${failure}`)
  }
  return out.join('\n')
}

/** Returns one line for a row, for whoever watches it happen. */
export function lineOf(row: Row): string {
  const mark = row.failures.length > 0 ? paint('red', 'FAIL') : paint('green', 'ok  ')
  const how = row.detected === null ? '' : `: ${row.detected.by} after ${row.detected.afterMs} ms`
  return `${mark} ${row.venue} ${row.name}${how}${row.failures.map((one) => `\n       ${one}`).join('')}`
}

function cells(row: Row): string[] {
  const { detected, wrongLive, recoveredMs, messagesLost, falseAlarms, failures } = row
  return [
    row.name,
    row.venue,
    detected?.by.replace(/^counter:/, '') ?? '-',
    milliseconds(detected?.afterMs ?? null),
    wrongLive.books === 0 ? '0' : `${wrongLive.books} books, ${wrongLive.marketMs} market-ms`,
    milliseconds(recoveredMs),
    messagesLost === null ? '?' : String(messagesLost),
    falseAlarms.books + falseAlarms.reconnects === 0
      ? '0'
      : `${falseAlarms.books} books, ${falseAlarms.reconnects} reconnects`,
    failures.length > 0 ? 'FAILED' : 'ok'
  ]
}

function milliseconds(ms: number | null): string {
  return ms === null ? '-' : `${ms} ms`
}

function paint(colour: Colour, text: string): string {
  return styleText(colour, text, { stream: process.stdout })
}
