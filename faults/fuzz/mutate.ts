import type { Random } from '../../simulator/model/random.ts'

/** Texts in place of a number: what a venue could write by mistake, and what parsers trip over. */
const NUMBERS = [
  '',
  '-0',
  '0',
  '-1',
  '+1',
  ' 1',
  '1 ',
  '.5',
  '5.',
  '1e5',
  '1E-3',
  'NaN',
  'Infinity',
  '0x10',
  '1_000',
  '1,000',
  '1.1.1',
  '00.42',
  '0.42000000000000000000',
  '0.00000000001',
  '9007199254740993',
  '99999999999999999999999999',
  '-99999999999999999999999999',
  '１'
]
const VALUES = ['null', 'true', '[]', '{}', '""', '0', '-1', '1e999', '"0.5"', '[null]', '{"a":{"a":{}}}']
const NAMES = [
  '__proto__',
  'constructor',
  'toString',
  'length',
  '',
  'Price',
  'PRICE',
  'price ',
  'prіce',
  'type',
  'msg'
]
const WHOLE = [
  '',
  ' ',
  'null',
  '[]',
  '{}',
  '[[]]',
  '[{}]',
  '0',
  '"text"',
  'PONG',
  'NO NEW ASSETS',
  '\u0000',
  '\ufeff{}'
]
const DEEP = 3_000

type Mutation = (text: string, random: Random, other: string) => string | Buffer

const MUTATIONS: Mutation[] = [
  flipBytes,
  (text, random) => text.slice(0, random.int(text.length + 1)),
  (text, random) => text.slice(random.int(text.length + 1)),
  deletePart,
  repeatPart,
  (text, random, other) =>
    text.slice(0, random.int(text.length + 1)) + other.slice(random.int(other.length + 1)),
  (text, _random, other) => text + other,
  (text) => text + text,
  otherNumber,
  otherNumber,
  otherNumber,
  otherValue,
  otherName,
  dropField,
  repeatField,
  extraField,
  nest,
  blanks,
  otherWord,
  (_text, random) => random.pick(WHOLE),
  (text) => `[${text}]`,
  (text, random) => `${random.pick(['[', '{"a":'])}`.repeat(DEEP) + text
]

/** Returns a frame that is no longer quite what the venue would send; `other` is a second real one to mix it with. */
export function mutate(text: string, other: string, random: Random): Buffer {
  let mutated: string | Buffer = text
  const times = random.pick([1, 1, 1, 1, 2, 3])
  for (let time = 0; time < times; time++) {
    const before = typeof mutated === 'string' ? mutated : mutated.toString('latin1')
    mutated = random.pick(MUTATIONS)(before, random, other)
  }
  return typeof mutated === 'string' ? Buffer.from(mutated) : mutated
}

function flipBytes(text: string, random: Random): Buffer {
  const bytes = Buffer.from(text)
  const count = random.pick([1, 1, 2, 8])
  for (let flip = 0; flip < count && bytes.length > 0; flip++) {
    const at = random.int(bytes.length)
    // One bit, or any byte, which is mostly no UTF-8.
    bytes[at] = random.chance(0.5) ? (bytes[at] ?? 0) ^ (1 << random.int(8)) : random.int(256)
  }
  return bytes
}

function deletePart(text: string, random: Random): string {
  const at = random.int(text.length + 1)
  return text.slice(0, at) + text.slice(at + 1 + random.int(12))
}

function repeatPart(text: string, random: Random): string {
  const at = random.int(text.length + 1)
  const part = text.slice(at, at + 1 + random.int(60))
  return text.slice(0, at) + part.repeat(random.pick([2, 2, 3, 50])) + text.slice(at + part.length)
}

/** Replaces one match of a pattern, chosen by chance; the text as it is where there is none. */
function replaceOne(text: string, pattern: RegExp, random: Random, by: (match: string) => string): string {
  const matches = [...text.matchAll(pattern)]
  if (matches.length === 0) return text
  const match = random.pick(matches)
  return text.slice(0, match.index) + by(match[0]) + text.slice(match.index + match[0].length)
}

function otherNumber(text: string, random: Random): string {
  return replaceOne(text, /-?\d+(\.\d+)?/g, random, (number) => {
    if (random.chance(0.3)) return `${number}${random.int(10)}`
    if (random.chance(0.1)) return `0${number}`
    if (random.chance(0.2)) return String(Number(number) * random.pick([-1, 0, 2, 10, 1e-7, 1e15]))
    return random.pick(NUMBERS)
  })
}

function otherValue(text: string, random: Random): string {
  return replaceOne(text, /:\s*("[^"]*"|-?[\d.]+|true|false|null)/g, random, () => `:${random.pick(VALUES)}`)
}

function otherName(text: string, random: Random): string {
  return replaceOne(text, /"[^"]*"\s*:/g, random, () => `"${random.pick(NAMES)}":`)
}

function dropField(text: string, random: Random): string {
  return replaceOne(text, /"[^"]*"\s*:\s*("[^"]*"|-?[\d.]+)\s*,?/g, random, () => '')
}

function repeatField(text: string, random: Random): string {
  return replaceOne(text, /"[^"]*"\s*:\s*("[^"]*"|-?[\d.]+)\s*,/g, random, (field) => field + field)
}

function extraField(text: string, random: Random): string {
  return replaceOne(text, /\{/g, random, () => `{"${random.pick(NAMES)}":${random.pick(VALUES)},`)
}

function nest(text: string, random: Random): string {
  return replaceOne(text, /"[^"]*"(?!\s*:)/g, random, (value) =>
    random.chance(0.5) ? `[${value}]` : `{"value":${value}}`
  )
}

function blanks(text: string, random: Random): string {
  return replaceOne(text, /[,:{}[\]]/g, random, (mark) => `${random.pick([' ', '\n', '\t', '  '])}${mark} `)
}

function otherWord(text: string, random: Random): string {
  return replaceOne(text, /"[a-zA-Z_]+"/g, random, () =>
    random.pick([
      '"book"',
      '"price_change"',
      '"orderbook_delta"',
      '"orderbook_snapshot"',
      '"yes"',
      '"no"',
      '"BUY"',
      '"SELL"',
      '"buy"',
      '"\\u0000"'
    ])
  )
}
