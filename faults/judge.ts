import type { BookSample, Sample } from './sample.ts'

/** What one run of a scenario has to be judged by. Times are epoch milliseconds. */
export interface Trial {
  venue: string
  /** The markets, as `venue:id`, whose books the fault may disturb. */
  concerned: ReadonlySet<string>
  /** Signs of which any one counts as detection; empty where the fault need not be noticed. See `signsOf`. */
  alarms: readonly string[]
  /** The fault must disturb no book. */
  isHarmless: boolean
  /** Connections that the fault may cost. */
  mayReconnect: boolean
  /** How long a wrong book may be served as live. */
  limitMs: number
  /** How long detection may take; it must not pass without. */
  detectMs: number
  /** Before the fault. */
  before: Sample
  /** When the fault first did something, or was switched on where it does nothing by itself. */
  firedAtMs: number | null
  /** After it, oldest first. */
  samples: readonly Sample[]
  messagesLost: number | null
}

export interface Judgement {
  detected: { by: string; afterMs: number } | null
  /** Books that were served as live while they were wrong. */
  wrongLive: { books: number; marketMs: number; longestMs: number }
  /** From the firing until every concerned book was live and right again; null when that did not happen. */
  recoveredMs: number | null
  messagesLost: number | null
  /** Books that were called stale, suspect or syncing though right and not concerned; and reconnects without a cause. */
  falseAlarms: { books: number; reconnects: number; example: string | null }
  /** One sentence for everything that is not as it must be; empty: passed. */
  failures: string[]
}

/** The sentence that tells of right books in doubt holds it, and no other does. */
const DOUBTED = 'right books were doubted'
/** States that a trading market's book is not in unless something happened to it. */
const ALARMING = new Set(['stale', 'suspect', 'syncing'])

/**
 * Returns what a look shows that the look before the fault did not, as signs: `state:X` and `reason:X` of a concerned
 * book, `mismatch` when a proof of one failed, `incident:KIND` and `counter:PATH` for each count and each other number
 * of the venue's health that has grown.
 */
export function signsOf(trial: Pick<Trial, 'venue' | 'concerned' | 'before'>, sample: Sample): Set<string> {
  const { venue, concerned, before } = trial
  const signs = new Set<string>()
  for (const id of concerned) {
    const book = sample.books.get(id)
    const earlier = before.books.get(id)
    if (book === undefined) {
      if (earlier !== undefined) signs.add('state:gone')
      continue
    }
    if (book.state !== earlier?.state) signs.add(`state:${book.state}`)
    if (book.reason !== null && book.reason !== earlier?.reason) signs.add(`reason:${book.reason}`)
    if (book.mismatches > (earlier?.mismatches ?? 0)) signs.add('mismatch')
  }
  const known = before.counters.get(venue)
  for (const [path, count] of sample.counters.get(venue) ?? []) {
    if (count <= (known?.get(path) ?? 0)) continue
    signs.add(path.startsWith('incidents.') ? path.replace('incidents.', 'incident:') : `counter:${path}`)
  }
  return signs
}

/** Returns whether a book is where it belongs: live and equal to the truth while its market trades. */
export function isWhole(book: BookSample | undefined): boolean {
  if (book === undefined) return false
  return book.right && (book.status !== 'active' || book.state === 'live')
}

/** Says what came of one run of a scenario. Books that an earlier fault left broken are left out: they were told of then. */
export function judge(given: Trial): Judgement {
  const trial = withoutBroken(given)
  const { samples, firedAtMs, concerned } = trial
  const detected = detection(trial)
  const { worst, ...wrongLive } = wrongSpans(trial.venue, samples)
  const recoveredMs = recovery(trial, detected)
  const falseAlarms = alarmsWithoutCause(trial)
  const failures: string[] = []

  if (2 * trial.before.books.size < given.before.books.size) failures.push('most books were broken before it')
  if (firedAtMs === null) failures.push('the fault never fired')
  if (trial.alarms.length > 0 && firedAtMs !== null) {
    if (detected === null) failures.push('missed')
    else if (detected.afterMs > trial.detectMs)
      failures.push(`detected after ${detected.afterMs} ms, the limit is ${trial.detectMs} ms`)
  }
  if (wrongLive.longestMs > trial.limitMs)
    failures.push(
      `${worst} was wrong and live for ${wrongLive.longestMs} ms, the limit is ${trial.limitMs} ms`
    )
  if (recoveredMs === null) {
    const last = samples.at(-1)
    const lost = [...concerned].filter((id) => !isWhole(last?.books.get(id)))
    failures.push(`${lost.length} books did not come back, such as ${describe(lost[0], last)}`)
  }
  if (falseAlarms.books > 0) failures.push(`${falseAlarms.books} ${DOUBTED}: ${falseAlarms.example}`)
  if (falseAlarms.reconnects > 0) failures.push(`${falseAlarms.reconnects} reconnects without a cause`)
  return { detected, wrongLive, recoveredMs, messagesLost: trial.messagesLost, falseAlarms, failures }
}

/**
 * Whether all that failed is that right books were doubted: a machine that is taken away for seconds does that too, and
 * nobody could have lost by it. A fault that was missed, a wrong book that was live or one that was lost is never that.
 */
export function isOnlyDoubt({ failures }: Pick<Judgement, 'failures'>): boolean {
  return failures.length > 0 && failures.every((failure) => failure.includes(DOUBTED))
}

function withoutBroken(trial: Trial): Trial {
  const broken = new Set([...trial.before.books].flatMap(([id, book]) => (isWhole(book) ? [] : [id])))
  if (broken.size === 0) return trial
  return {
    ...trial,
    before: withoutBooks(trial.before, broken),
    concerned: new Set([...trial.concerned].filter((id) => !broken.has(id))),
    samples: trial.samples.map((sample) => withoutBooks(sample, broken))
  }
}

function withoutBooks(sample: Sample, left: ReadonlySet<string>): Sample {
  return { ...sample, books: new Map([...sample.books].filter(([id]) => !left.has(id))) }
}

function detection(trial: Trial): Judgement['detected'] {
  for (const sample of trial.samples) {
    const signs = signsOf(trial, sample)
    const by = trial.alarms.find((alarm) => signs.has(alarm))
    if (by !== undefined) return { by, afterMs: Math.max(0, sample.atMs - (trial.firedAtMs ?? sample.atMs)) }
  }
  return null
}

/**
 * Adds up how long books were seen wrong and live. A span goes from the first look that saw it to the last, so it is
 * never longer than the truth; one that a single look saw may have been messages in flight and counts as nothing.
 */
function wrongSpans(
  venue: string,
  samples: readonly Sample[]
): Judgement['wrongLive'] & { worst: string | null } {
  const spans = new Map<string, { fromMs: number; lastMs: number }>()
  const totals = new Map<string, number>()
  let longestMs = 0
  let worst: string | null = null
  for (const { atMs, books } of samples) {
    for (const [id, { state, right }] of books) {
      if (!id.startsWith(`${venue}:`)) continue
      if (state !== 'live' || right) {
        spans.delete(id)
        continue
      }
      const span = spans.get(id)
      if (span === undefined) spans.set(id, { fromMs: atMs, lastMs: atMs })
      else {
        totals.set(id, (totals.get(id) ?? 0) + atMs - span.lastMs)
        span.lastMs = atMs
        if (atMs - span.fromMs > longestMs) {
          longestMs = atMs - span.fromMs
          worst = id
        }
      }
    }
  }
  const marketMs = [...totals.values()].reduce((sum, ms) => sum + ms, 0)
  return { books: totals.size, marketMs, longestMs, worst }
}

/** The first look from which on every concerned book stayed whole, after detection where there was one. */
function recovery(trial: Trial, detected: Judgement['detected']): number | null {
  const { samples, concerned, firedAtMs } = trial
  let wholeSinceMs: number | null = null
  for (const sample of samples) {
    const isAllWhole = [...concerned].every((id) => isWhole(sample.books.get(id)))
    if (!isAllWhole) wholeSinceMs = null
    else wholeSinceMs ??= sample.atMs
  }
  if (wholeSinceMs === null) return null
  return Math.max(detected?.afterMs ?? 0, wholeSinceMs - (firedAtMs ?? wholeSinceMs), 0)
}

function alarmsWithoutCause(trial: Trial): Judgement['falseAlarms'] {
  const { samples, venue, concerned, before } = trial
  const doubted = new Map<string, string>()
  for (const sample of samples) {
    for (const [id, book] of sample.books) {
      if (!id.startsWith(`${venue}:`) || (!trial.isHarmless && concerned.has(id))) continue
      if (book.status === 'active' && ALARMING.has(book.state) && book.right && !doubted.has(id))
        doubted.set(id, describe(id, sample))
    }
  }
  const reconnects = (sample: Sample | undefined) =>
    sample?.counters.get(venue)?.get('connections.reconnects') ?? 0
  const extra = trial.mayReconnect ? 0 : Math.max(0, reconnects(samples.at(-1)) - reconnects(before))
  const [example = null] = doubted.values()
  return { books: doubted.size, reconnects: extra, example }
}

function describe(id: string | undefined, sample: Sample | undefined): string {
  const book = id === undefined ? undefined : sample?.books.get(id)
  if (book === undefined) return `${id} (not served)`
  return `${id} (${book.state}${book.reason === null ? '' : `, ${book.reason}`}${book.right ? '' : ', wrong'})`
}
