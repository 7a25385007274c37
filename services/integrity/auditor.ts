import type { LevelList } from '../orderbook/levels.ts'
import { AuditHistory } from './audit-history.ts'
import { AuditSchedule } from './audit-schedule.ts'
import { type AuditAges, type AuditStatus, AuditTally, agesOf, type Explanation } from './audit-tally.ts'
import type { AuditorOptions, AuditResult } from './auditor-options.ts'
import { DifferingReads } from './differing-reads.ts'
import { fingerprintOf, fingerprintOfLevels } from './fingerprint.ts'
import { reasonBit } from './verdict.ts'

export type { AuditorOptions, AuditResult, TakeRead } from './auditor-options.ts'

interface Audit {
  readonly slot: number
  readonly id: string
  /** Versions are known since then. */
  sinceMs: number
  /** No data came for it since then; NaN where it is not said to be silent. */
  silentSinceMs: number
  /** Read it from then on. */
  readAtMs: number
  isUrgent: boolean
  phase: 'waiting' | 'reading' | 'comparing'
  /** When the last read was asked for. */
  askedAtMs: number
  /** What was read, while the book may still become it. */
  wanted: number
  wantedUntilMs: number
  hasMismatched: boolean
  onDone: ((result: AuditResult) => void)[]
}

const TICK_MS = 250
const LEAD_MS = 16_000
const AHEAD_MS = 2_000
const READ_EVERY_MS = 500
/** Reads under way at once. */
const READS_MAX = 2
/** Books wait this share of the period for others to share a read with. */
const COLLECT_SHARE = 1 / 30
/** A failed read is repeated after this. */
const RETRY_MS = 2_000
/** A book that was wrong and is not mended is looked at again: it may have come right by itself. */
const SUSPECT_AGAIN_MS = 5_000
/** Of the period; what is left is for waiting, reading and the second read. */
const CYCLE_SHARE = 0.8
/** Of the period: a book that was proved so shortly ago gains nothing by one more read, whose news costs every copy. */
const PROVEN_SHARE = 1 / 4
const AGES_FOR_MS = 1_000
const MISTRUSTED = reasonBit('audit_mismatch')
const SILENT = reasonBit('silent')

/**
 * Compares every live book with an independent read, over and over. A read may be some seconds old or a moment ahead,
 * so a book is watched for a while before it is read, and the read is compared with all that the book was since.
 *
 * @example
 * const auditor = new Auditor({
 *   venue: 'polymarket', table, incidents, periodMs: 60_000, booksPerRead: () => 100, leadMs: 5_000,
 *   slots: () => idBySlot.keys(),
 *   marketId: (slot) => idBySlot.get(slot) ?? null,
 *   read: async (slots, take) => {
 *     for (const book of await rest.fetchBooks(slots.map(assetOf))) if (fill(book, yes, no)) take(slotOf(book), yes, no)
 *   },
 *   repair: (slot, attempt) => (attempt === 1 ? reader.ask(assetOf(slot), 'snapshot') : connections.move(assetOf(slot)))
 * })
 * auditor.start()
 */
export class Auditor {
  private readonly options: Required<AuditorOptions>
  private readonly history: AuditHistory
  private readonly schedule: AuditSchedule
  private readonly tally = new AuditTally()
  private readonly differing: DifferingReads
  /** Audits under way, by slot, in the order in which they began. */
  private readonly audits = new Map<number, Audit>()
  /** How often in a row the book in a slot was proven wrong, and whose book that was. */
  private readonly wrongs = new Map<number, { id: string; attempts: number }>()
  private reads = 0
  private lastReadAtMs = Number.NEGATIVE_INFINITY
  private ages: { atMs: number; books: number; ageMs: AuditAges | null } | null = null
  private timer: NodeJS.Timeout | null = null

  constructor(options: AuditorOptions) {
    this.options = {
      readEveryMs: READ_EVERY_MS,
      leadMs: LEAD_MS,
      aheadMs: AHEAD_MS,
      now: Date.now,
      steadyNow: performance.now.bind(performance),
      random: Math.random,
      ...options
    }
    const { table, slots, periodMs, steadyNow, random } = this.options
    // A short period, as tests set it, leaves less time to watch.
    this.options.leadMs = Math.min(this.options.leadMs, periodMs / 2)
    const restMs = periodMs * CYCLE_SHARE - this.options.leadMs
    this.history = new AuditHistory({ table, steadyNow })
    this.differing = new DifferingReads(table)
    this.schedule = new AuditSchedule({ table, slots, restMs, random })
  }

  /** How old a read may be when it comes. Milliseconds. */
  get leadMs(): number {
    return this.options.leadMs
  }

  start(): void {
    this.timer ??= setInterval(() => this.tick(), TICK_MS)
  }

  stop(): void {
    if (this.timer !== null) clearInterval(this.timer)
    this.timer = null
    for (const { slot } of this.audits.values()) this.history.unwatch(slot)
    this.audits.clear()
  }

  /** Our steady clock at the last comparison that found no fault; NaN before the first. */
  auditedAtMs(slot: number): number {
    return this.schedule.auditedAtMs(slot)
  }

  /** How long ago a book was compared and not found wrong; null before the first time. */
  ageMs(slot: number): number | null {
    const age = this.options.steadyNow() - this.auditedAtMs(slot)
    return Number.isNaN(age) ? null : age
  }

  /** The ages are those of up to a second ago: they cost a look at every book. */
  status(): Omit<AuditStatus, 'polls'> {
    const nowMs = this.options.steadyNow()
    if (this.ages === null || nowMs - this.ages.atMs >= AGES_FOR_MS) {
      const slots = [...this.options.slots()]
      const known = slots.map((slot) => nowMs - this.auditedAtMs(slot)).filter((age) => !Number.isNaN(age))
      this.ages = { atMs: nowMs, books: slots.length, ageMs: agesOf(Float64Array.from(known)) }
    }
    return { ...this.tally.counts(), books: this.ages.books, ageMs: this.ages.ageMs }
  }

  /**
   * Audits a book before all others, and says how it went. Its book is known to be unchanged for `unchangedForMs`, so
   * that much needs no watching; where it is less than a read may be old, an equal read is no proof, but `cached`.
   */
  urgent(slot: number, unchangedForMs = 0, onDone: (result: AuditResult) => void = () => {}): void {
    const nowMs = this.options.steadyNow()
    const sinceMs = nowMs - unchangedForMs
    const audit = this.audits.get(slot) ?? this.begin(slot, sinceMs, nowMs)
    if (audit === null) {
      onDone('not_live')
      return
    }
    if (sinceMs < audit.sinceMs && this.history.extend(slot, sinceMs)) audit.sinceMs = sinceMs
    if (unchangedForMs > 0) audit.silentSinceMs = sinceMs
    audit.onDone.push(onDone)
    if (audit.isUrgent) return
    audit.isUrgent = true
    if (audit.phase === 'waiting') audit.readAtMs = nowMs
  }

  /**
   * Takes a read that was asked for at `askedAtMs`, though by no audit; returns whether the book equals it, null where
   * the book is not live. Where an audit is due it is that audit's read. Where none is under way an equal book is
   * proved by it; one that differs may be ahead of it, and is audited only once nothing but a fault explains it.
   */
  polled(slot: number, yes: LevelList, no: LevelList, askedAtMs: number): boolean | null {
    const { table, steadyNow } = this.options
    const print = fingerprintOfLevels(yes, no)
    const isLive = table.verdicts.reasons[slot] === 0
    const isEqual = fingerprintOf(table.arena, slot) === print
    const audit = this.audits.get(slot)
    const nowMs = steadyNow()
    if (audit !== undefined) {
      if (audit.phase === 'waiting' && askedAtMs >= audit.readAtMs) {
        audit.askedAtMs = askedAtMs
        this.compare(audit, print, nowMs)
      }
    } else if (isLive && isEqual) this.polledEqual(slot, nowMs)
    else if (isLive) this.polledDiffering(slot, print, askedAtMs, nowMs)
    return isLive ? isEqual : null
  }

  private polledEqual(slot: number, nowMs: number): void {
    this.differing.forget(slot)
    if (nowMs - this.auditedAtMs(slot) < this.options.periodMs * PROVEN_SHARE) return
    this.tally.equal++
    this.proven(slot)
    this.schedule.ended(slot, nowMs)
  }

  private polledDiffering(slot: number, print: number, askedAtMs: number, nowMs: number): void {
    // While polls were equal no audit was due: one that only then went wrong shall not wait for a whole rest.
    if (!this.differing.has(slot)) this.schedule.draw(slot, nowMs)
    const sinceMs = this.differing.note(slot, print, nowMs)
    // However old this read is, it is of a time at which the book already was as it is.
    if (askedAtMs - this.options.leadMs < sinceMs) return
    this.differing.forget(slot)
    this.begin(slot, sinceMs, nowMs)
  }

  /** Does what is due; called four times a second by `start`. */
  tick(): void {
    const nowMs = this.options.steadyNow()
    this.settle(nowMs)
    const room = this.options.booksPerRead() * READS_MAX
    for (const slot of this.schedule.due(nowMs, room)) {
      const audit = this.audits.has(slot) ? null : this.begin(slot, nowMs, nowMs)
      if (audit === null) this.schedule.postpone(slot, nowMs + RETRY_MS)
    }
    this.readDue(nowMs)
  }

  /** Returns null when the book cannot be audited now. */
  private begin(slot: number, sinceMs: number, nowMs: number): Audit | null {
    const id = this.options.marketId(slot)
    if (id === null || !this.mayBeAudited(slot) || !this.history.watch(slot, sinceMs)) return null
    const audit: Audit = {
      slot,
      id,
      sinceMs,
      silentSinceMs: Number.NaN,
      readAtMs: Math.max(nowMs, sinceMs + this.options.leadMs),
      isUrgent: false,
      phase: 'waiting',
      askedAtMs: Number.NaN,
      wanted: Number.NaN,
      wantedUntilMs: Number.NaN,
      hasMismatched: false,
      onDone: []
    }
    this.audits.set(slot, audit)
    this.schedule.begun(slot)
    return audit
  }

  /** One that is doubtful for another reason is being mended; a silent one is asked for that very reason. */
  private mayBeAudited(slot: number): boolean {
    return ((this.options.table.verdicts.reasons[slot] as number) & ~(MISTRUSTED | SILENT)) === 0
  }

  private readDue(nowMs: number): void {
    const { readEveryMs, periodMs } = this.options
    const booksPerRead = this.options.booksPerRead()
    if (this.reads >= READS_MAX || nowMs - this.lastReadAtMs < readEveryMs) return
    const urgent: Audit[] = []
    const others: Audit[] = []
    let oldestMs = nowMs
    for (const audit of this.audits.values()) {
      if (audit.phase !== 'waiting' || audit.readAtMs > nowMs) continue
      if (audit.isUrgent || audit.hasMismatched) urgent.push(audit)
      else others.push(audit)
      oldestMs = Math.min(oldestMs, audit.readAtMs)
    }
    const count = urgent.length + others.length
    if (count === 0) return
    if (urgent.length === 0 && count < booksPerRead && nowMs - oldestMs < periodMs * COLLECT_SHARE) return
    this.lastReadAtMs = nowMs
    void this.read([...urgent, ...others].slice(0, booksPerRead), nowMs)
  }

  /** Never rejects. */
  private async read(audits: readonly Audit[], askedAtMs: number): Promise<void> {
    const { read, steadyNow } = this.options
    this.reads++
    for (const audit of audits) {
      audit.phase = 'reading'
      audit.askedAtMs = askedAtMs
    }
    const isStill = (audit: Audit) => this.audits.get(audit.slot) === audit && audit.phase === 'reading'
    const slots = audits.map(({ slot }) => slot)
    try {
      await read(slots, (slot, yes, no) => {
        const audit = this.audits.get(slot)
        if (audit?.phase === 'reading') this.compare(audit, fingerprintOfLevels(yes, no), steadyNow())
      })
      for (const audit of audits) if (isStill(audit)) this.explained(audit, 'not_read')
    } catch {
      this.tally.failedReads++
      for (const audit of audits) {
        if (!isStill(audit)) continue
        audit.phase = 'waiting'
        audit.readAtMs = steadyNow() + RETRY_MS
      }
    }
    this.reads--
  }

  private compare(audit: Audit, print: number, nowMs: number): void {
    const { table, leadMs, aheadMs } = this.options
    const { slot, askedAtMs, silentSinceMs } = audit
    if (!this.isSame(audit)) this.explained(audit, 'not_live')
    else if (fingerprintOf(table.arena, slot) === print) {
      // It may be as old as the last data, and then tells nothing of the silence.
      if (askedAtMs - leadMs < silentSinceMs) this.explained(audit, 'cached')
      else this.equal(audit)
    } else if (this.history.had(slot, print, askedAtMs - leadMs)) this.explained(audit, 'cached')
    else {
      audit.phase = 'comparing'
      audit.wanted = print
      audit.wantedUntilMs = nowMs + aheadMs
    }
  }

  /** Settles the reads that were ahead of the stream, and those that were not. */
  private settle(nowMs: number): void {
    const { leadMs } = this.options
    for (const audit of this.audits.values()) {
      const { slot, askedAtMs, sinceMs } = audit
      if (!this.isSame(audit)) {
        if (audit.phase !== 'reading') this.explained(audit, 'not_live')
      } else if (audit.phase !== 'comparing') continue
      else if (this.history.had(slot, audit.wanted, askedAtMs - leadMs)) this.explained(audit, 'ahead')
      else if (nowMs < audit.wantedUntilMs) continue
      else if (askedAtMs - leadMs < sinceMs) this.tooYoung(audit)
      else if (!this.history.covers(slot, askedAtMs - leadMs)) this.explained(audit, 'too_busy')
      else this.mismatched(audit, nowMs)
    }
  }

  /** Whether the book is still this market's and still to be audited. */
  private isSame({ slot, id }: Audit): boolean {
    return this.mayBeAudited(slot) && this.options.marketId(slot) === id
  }

  /** It was read before enough was known of it: it is read again when that is so. */
  private tooYoung(audit: Audit): void {
    this.tally.explained.too_young++
    audit.phase = 'waiting'
    audit.readAtMs = audit.sinceMs + this.options.leadMs
  }

  private mismatched(audit: Audit, nowMs: number): void {
    this.tally.mismatch++
    if (audit.hasMismatched) {
      this.wrong(audit)
      return
    }
    audit.hasMismatched = true
    audit.phase = 'waiting'
    audit.readAtMs = nowMs
  }

  private wrong(audit: Audit): void {
    const { table, repair, incidents, venue, steadyNow } = this.options
    const { slot, id } = audit
    const before = this.wrongs.get(slot)
    const attempt = (before?.id === id ? before.attempts : 0) + 1
    this.wrongs.set(slot, { id, attempts: attempt })
    this.tally.confirmed++
    table.verdicts.mismatches[slot] = (table.verdicts.mismatches[slot] as number) + 1
    table.raise(slot, 'audit_mismatch')
    table.touch(slot)
    const detail = `the book differs from two reads in a row (${attempt} in a row)`
    incidents.note({ venue, kind: 'audit_mismatch', marketId: id, detail })
    this.end(audit, 'wrong')
    this.schedule.postpone(slot, steadyNow() + SUSPECT_AGAIN_MS)
    repair(slot, attempt)
  }

  private equal(audit: Audit): void {
    this.tally.equal++
    this.proven(audit.slot)
    this.end(audit, 'equal')
  }

  private explained(audit: Audit, why: Explanation): void {
    this.tally.explained[why]++
    if (why === 'ahead') this.proven(audit.slot)
    else if (why === 'cached') this.schedule.audited(audit.slot, this.options.steadyNow())
    this.end(audit, why)
  }

  private proven(slot: number): void {
    const { table, now, steadyNow } = this.options
    this.schedule.audited(slot, steadyNow())
    this.wrongs.delete(slot)
    // On a silent connection it proves what was, not what is: whoever flagged it says when that is enough.
    if (!table.verdicts.has(slot, 'silent')) table.verdicts.verified(slot, now())
    // It came right without a snapshot, as when the read was wrong.
    table.clear(slot, 'audit_mismatch')
    // Once in a period: whoever keeps a copy sees when the book was proved.
    table.touch(slot)
  }

  private end(audit: Audit, result: AuditResult): void {
    const { slot } = audit
    this.audits.delete(slot)
    this.history.unwatch(slot)
    this.schedule.ended(slot, this.options.steadyNow())
    for (const onDone of audit.onDone) onDone(result)
  }
}
