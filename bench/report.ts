import { type Figure, isMet, type Target } from './figure.ts'

/** Returns a figure as one line of JSON. */
export function lineOf(figure: Figure): string {
  const { bench, unit, ratio, target } = figure
  return JSON.stringify({
    bench,
    figure: rounded(figure.figure),
    unit,
    against: `${figure.peer}: ${format(figure.against)}`,
    ratio: rounded(ratio),
    target: textOf(target),
    met: isMet(figure)
  })
}

const HEADINGS = ['bench', 'figure', 'value', 'limit or peer', 'ratio', 'target', 'met']

/** Returns figures as a table for people. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.bench,
    figure.unit,
    format(figure.figure),
    `${format(figure.against)} ${figure.peer}`,
    format(figure.ratio),
    textOf(figure.target),
    isMet(figure) ? 'yes' : 'NO'
  ])
  const widths = HEADINGS.map((heading, column) =>
    Math.max(heading.length, ...rows.map((row) => (row[column] as string).length))
  )
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] as number))
      .join('  ')
      .trimEnd()
  return [line(HEADINGS), line(widths.map((width) => '-'.repeat(width))), ...rows.map(line)].join('\n')
}

function textOf({ by, relation, value }: Target): string {
  return `${by} ${relation} ${value}`
}

/** Four digits are more than a noisy machine can tell. */
function rounded(value: number): number {
  return Number(value.toPrecision(4))
}

function format(value: number): string {
  return Math.abs(value) >= 1_000
    ? Math.round(value).toLocaleString('en-US')
    : String(Number(value.toPrecision(3)))
}
