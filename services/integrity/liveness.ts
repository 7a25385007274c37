import type { AuditResult } from './auditor.ts'
import type { BookTable } from './book-table.ts'
import type { Incidents } from './incidents.ts'
import { UsualGaps, unusualAfter } from './usual-gaps.ts'
import { reasonBit } from './verdict.ts'

/** A connection as liveness sees it. */
export interface LiveConnection {
  /** One name for one connecting, another after it was opened again; up to the first `/` or `@` it stays the same. */
  readonly key: string
  /** Data frames that came on it; keep-alive answers do not count. */
  readonly messages: number
  /** Slots of the books that come on it. */
  slots(): Iterable<number>
}

export interface LivenessOptions {
  venue: string
  table: BookTable
  /** The connections that are open now. */
  connections: () => Iterable<LiveConnection>
  /** As `Auditor.urgent`. */
  audit: (slot: number, unchangedForMs: number, onDone: (result: AuditResult) => void) => void
  /** This connection is proven dead: cut it and dial again. */
  recycle: (key: string, reason: string) => void
  incidents: Incidents
  /** How old an audit's read may be: before so much silence it does not tell quiet from dead. */
  leadMs?: number
  /** Never jumps: for durations only. */
  steadyNow?: () => number
}

export interface LivenessStatus {
  /** Connections that are silent now, and not yet found quiet. */
  silent: number
  /** Times that a connection was unusually silent. */
  silences: number
  /** Silent connections that were only quiet. */
  quietConnections: number
  /** Silent connections that were dead. */
  deadConnections: number
  /** Times that a market was unusually silent, and how that ended. */
  asked: number
  quietMarkets: number
  deadMarkets: number
}

/** What is known of one connection. */
interface Pulse {
  messages: number
  /** When data came last, or it was opened. */
  changedAtMs: number
  /** Usual time between two messages; NaN before the second look that found some. */
  gapMs: number
  /** Silent when no data came for this long. */
  silentAfterMs: number
  /** This silence was found to be quiet once. */
  wasQuiet: boolean
  /** Set while its books are flagged. */
  incident: number | null
  /** Audits that are still out, and how many of those that came back found their book right. */
  open: number
  equal: number
}

const SCAN_EVERY_MS = 1_000
/** A connection is not asked about sooner than this. */
const FLOOR_MS = 5_000
/** Silence is unusual after so many usual gaps. */
const UNUSUAL_GAPS = 20
/** Flagged within 15 s. */
const LIVELY = { gapMs: 1_000, askAfterMs: 10_000 }
/** One that was silent from its opening on has no usual rate; looks once a second flag it within 15 s. */
const UNKNOWN_AFTER_MS = 12_000
/** As old as Kalshi's answers may be, and a little more. */
const LEAD_MS = 16_000
/** Connections come and go: the usual gaps of so many are kept. */
const NAMES_MAX = 256
const SMOOTHING = 0.1
const SILENT = reasonBit('silent')
/** Of a silent connection so many of the busiest books are audited. */
const SAMPLE = 10

/**
 * Tells quiet from dead, for each market and for each connection. Silence that is unusual is no proof: the books are
 * audited. Where they are right, all is quiet, and is asked again after twice the time; where one is wrong, it is
 * mended by the auditor's `repair`, or the connection is recycled.
 *
 * @example
 * const liveness = new Liveness({
 *   venue: 'polymarket', table, incidents,
 *   connections: () => connections.open(),
 *   audit: (slot, unchangedForMs, onDone) => auditor.urgent(slot, unchangedForMs, onDone),
 *   recycle: (key, reason) => connections.drop(key, reason)
 * })
 * liveness.start()
 */
export class Liveness {
  private readonly options: Required<LivenessOptions>
  private readonly gaps: UsualGaps
  private readonly pulses = new Map<string, Pulse>()
  /** The usual gap of each connection, by its name: it outlives a connecting. */
  private readonly gapByName = new Map<string, number>()
  private readonly counts = { silences: 0, quietConnections: 0, deadConnections: 0 }
  /** Markets whose audit is still out. */
  private readonly asking = new Set<number>()
  private readonly markets = { asked: 0, quietMarkets: 0, deadMarkets: 0 }
  private timer: NodeJS.Timeout | null = null

  constructor(options: LivenessOptions) {
    this.options = { leadMs: LEAD_MS, steadyNow: performance.now.bind(performance), ...options }
    this.gaps = new UsualGaps(options.table)
  }

  start(): void {
    this.timer ??= setInterval(() => this.scan(), SCAN_EVERY_MS)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    this.pulses.clear()
    this.asking.clear()
  }

  status(): LivenessStatus {
    const silent = [...this.pulses.values()].filter(({ incident }) => incident !== null).length
    return { silent, ...this.counts, ...this.markets }
  }

  /** Looks at every connection and every book; called once a second by `start`. */
  scan(): void {
    const nowMs = this.options.steadyNow()
    const open = new Set<string>()
    for (const connection of this.options.connections()) {
      open.add(connection.key)
      this.look(connection, nowMs)
    }
    for (const [key, { incident }] of this.pulses) {
      if (open.has(key)) continue
      this.pulses.delete(key)
      if (incident !== null) this.options.incidents.end(incident)
    }
  }

  private look(connection: LiveConnection, nowMs: number): void {
    const { key, messages } = connection
    let pulse = this.pulses.get(key)
    if (pulse === undefined) {
      const gapMs = this.gapByName.get(nameOf(key)) ?? Number.NaN
      pulse = {
        messages,
        changedAtMs: nowMs,
        gapMs,
        silentAfterMs: Number.isNaN(gapMs) ? UNKNOWN_AFTER_MS : silentAfter(gapMs),
        wasQuiet: false,
        incident: null,
        open: 0,
        equal: 0
      }
      this.pulses.set(key, pulse)
      // What an earlier connection of theirs left.
      for (const slot of connection.slots()) this.options.table.clear(slot, 'silent')
    }
    const came = messages - pulse.messages
    if (came > 0) this.beat(connection, pulse, came, nowMs)
    else if (nowMs - pulse.changedAtMs > pulse.silentAfterMs) this.silent(connection, pulse, nowMs)
    for (const slot of connection.slots()) {
      const silentForMs = this.gaps.look(slot, nowMs)
      // Of a silent connection each market is silent.
      if (silentForMs !== null && pulse.incident === null) this.ask(slot, silentForMs, nowMs)
    }
  }

  private beat(connection: LiveConnection, pulse: Pulse, came: number, nowMs: number): void {
    const gapMs = (nowMs - pulse.changedAtMs) / came
    pulse.gapMs = Number.isNaN(pulse.gapMs) ? gapMs : pulse.gapMs + SMOOTHING * (gapMs - pulse.gapMs)
    pulse.silentAfterMs = silentAfter(pulse.gapMs)
    this.remember(nameOf(connection.key), pulse.gapMs)
    pulse.messages = connection.messages
    pulse.changedAtMs = nowMs
    pulse.wasQuiet = false
    if (pulse.incident !== null) this.speaks(connection, pulse)
  }

  private remember(name: string, gapMs: number): void {
    this.gapByName.delete(name)
    this.gapByName.set(name, gapMs)
    if (this.gapByName.size <= NAMES_MAX) return
    const [oldest] = this.gapByName.keys()
    if (oldest !== undefined) this.gapByName.delete(oldest)
  }

  private silent(connection: LiveConnection, pulse: Pulse, nowMs: number): void {
    // Asked again as soon as these are in.
    if (pulse.open > 0) return
    const { table, audit, leadMs } = this.options
    const { reasons } = table.verdicts
    const live = [...connection.slots()].filter((slot) => ((reasons[slot] as number) & ~SILENT) === 0)
    // Looked at again in a second: REST may give it a first book while it is silent.
    if (live.length === 0) return
    const ageMs = nowMs - pulse.changedAtMs
    const isTelling = ageMs >= leadMs
    pulse.silentAfterMs = isTelling ? ageMs * 2 : leadMs
    // What was only quiet a moment ago is asked about and not flagged.
    if (!pulse.wasQuiet) this.flag(connection, pulse, live, ageMs)
    const busiest = live.sort((one, other) => this.gaps.of(one) - this.gaps.of(other)).slice(0, SAMPLE)
    pulse.open = busiest.length
    pulse.equal = 0
    const silentSinceMs = pulse.changedAtMs
    for (const slot of busiest)
      audit(slot, this.gaps.unchangedForMs(slot, nowMs), (result) =>
        // What was read before may be as old as the last data.
        this.answered(connection, pulse, silentSinceMs, result === 'equal' && !isTelling ? 'cached' : result)
      )
  }

  private flag({ key }: LiveConnection, pulse: Pulse, live: readonly number[], ageMs: number): void {
    const { table, incidents, venue } = this.options
    this.counts.silences++
    const usual = Number.isNaN(pulse.gapMs)
      ? 'since it was opened'
      : `where ${Math.round(pulse.gapMs)} ms are usual`
    const detail = `no data for ${Math.round(ageMs)} ms, ${usual}`
    pulse.incident ??= incidents.note({ venue, kind: 'silent_connection', connection: key, detail })
    for (const slot of live) table.raise(slot, 'silent')
  }

  /** One of the audits of a silent connection came back. */
  private answered(
    connection: LiveConnection,
    pulse: Pulse,
    silentSinceMs: number,
    result: AuditResult
  ): void {
    pulse.open--
    // Who speaks meanwhile, or was cut, is not silent any more.
    if (this.pulses.get(connection.key) !== pulse || pulse.changedAtMs > silentSinceMs) return
    if (result === 'equal') pulse.equal++
    if (result === 'wrong') {
      this.counts.deadConnections++
      this.pulses.delete(connection.key)
      if (pulse.incident !== null) this.options.incidents.end(pulse.incident)
      this.options.recycle(connection.key, 'silent, and its books are wrong')
    } else if (pulse.open === 0 && pulse.equal > 0) {
      this.counts.quietConnections++
      pulse.wasQuiet = true
      if (pulse.incident !== null) this.speaks(connection, pulse)
    }
    // What could not be read proves nothing: the books stay flagged until data comes or the next audits.
  }

  private speaks(connection: LiveConnection, pulse: Pulse): void {
    const { table, incidents } = this.options
    if (pulse.incident !== null) incidents.end(pulse.incident)
    pulse.incident = null
    for (const slot of connection.slots()) table.clear(slot, 'silent')
  }

  private ask(slot: number, silentForMs: number, nowMs: number): void {
    const { table, audit, leadMs } = this.options
    if (table.verdicts.state(slot) !== 'live') return
    if (silentForMs <= this.gaps.askAfterMs(slot) || this.asking.has(slot)) return
    this.gaps.asked(slot, silentForMs, leadMs)
    this.markets.asked++
    this.asking.add(slot)
    audit(slot, this.gaps.unchangedForMs(slot, nowMs), (result) => {
      this.asking.delete(slot)
      if (result === 'wrong') this.markets.deadMarkets++
      else if (result === 'equal') this.markets.quietMarkets++
    })
  }
}

function silentAfter(gapMs: number): number {
  return unusualAfter(gapMs, UNUSUAL_GAPS, FLOOR_MS, LIVELY)
}

/** What of a connecting's key stays when it is opened again. */
function nameOf(key: string): string {
  return key.replace(/[/@].*$/, '')
}
