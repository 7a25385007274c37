import type { BookTable } from '../integrity/book-table.ts'
import { NEEDS_SNAPSHOT, reasonBit } from '../integrity/verdict.ts'
import { ONE_E4, type PriceE4 } from '../numbers/decimal.ts'
import { BookArena, NO, YES } from '../orderbook/arena.ts'
import { type LevelList, MAX_LEVELS } from '../orderbook/levels.ts'
import type { Counters } from '../venue/counters.ts'
import { NOT_TOLD } from './change-list.ts'
import { HashWriter, hashHead, hashTail } from './hash-writer.ts'
import { allLastTrades, LastTrades } from './last-trades.ts'
import { MarketFacts } from './market-facts.ts'
import type { ParsedBook } from './parse.ts'
import { ProofBudget } from './proof-budget.ts'
import { ProofMarks } from './proof-marks.ts'

/** Which proof failed. */
export type FailedProof = 'hash_mismatch' | 'best_price_mismatch'

export interface BookProofsOptions {
  table: BookTable
  counters: Counters
  /** Time for proofs, of one core; 0 turns them off. */
  budgetPercent: number
  /** Called for a book that is not what the venue says, after it was made suspect; `isNew` unless it was before. */
  onMismatch: (slot: number, proof: FailedProof, isNew: boolean) => void
  now: () => number
  /** Milliseconds on a clock that never jumps. */
  steadyNow: () => number
}

/** What the proofs did since the start. */
export interface ProofStatus {
  /** Books found to have the venue's hash. */
  hashesMatched: number
  /** Books found to have the mirrored hash of the complement. */
  mirrorsMatched: number
  /** Groups of messages that went unproved for want of time. */
  skipped: number
  /** Books found wrong. */
  mismatches: number
  /** Books whose hash can be worked out, of those that are followed. */
  provable: number
  spentMs: number
}

/** A group that got no message for this long has ended; the venue sends the parts of one back to back. */
const QUIET_MS = 30
/** How long a book may differ until the trade that explains it is told. */
const HOLD_MS = 250
/** One proof in so many also proves the mirror by the complement's hash. */
const MIRROR_EVERY = 8
/** Of the best prices, which come without a proof of the whole: fewer in a row may be a message's own slip. */
const BEST_MISSES = 3
/** Between two times that a proof alone, with no change of the book, is told to readers. */
const TELL_EVERY_MS = 1_000

const MISMATCH = reasonBit('hash_mismatch')

/**
 * Proves books by the hash that each message carries of the whole book after it, once the message's group is over:
 * at the next message of another group, or after a moment of silence.
 *
 * A hash that does not match is a doubt at first: a match changes the market's last trade, which is hashed and comes
 * later. Whatever proves the book within `HOLD_MS` ends the doubt, be it that trade or the hash of a later message,
 * since each hash is of the whole book. What is still unproved then is compared with every last trade there can be,
 * and with none of them equal the book is wrong.
 */
export class BookProofs {
  private readonly options: BookProofsOptions
  private readonly table: BookTable
  private readonly budget: ProofBudget
  private readonly marks: ProofMarks
  private readonly trades: LastTrades
  private readonly facts: (MarketFacts | undefined)[] = []
  private readonly writer = new HashWriter()
  /** For a REST book that proves itself before it is taken. */
  private readonly scratch = new BookArena(1, MAX_LEVELS * 4)
  /** When each began, on the steady clock. */
  private readonly doubts = new Map<number, number>()
  private readonly bestMisses: Uint8Array
  /** Our clock when readers were last told of a proof. */
  private readonly toldAtMs: Float64Array
  private tickedAtMs: number
  /** Where the next round over the quiet books starts, so that none waits for ever when time is short. */
  private turn = 0
  private hashesMatched = 0
  private mirrorsMatched = 0
  private skipped = 0
  private mismatches = 0

  constructor(options: BookProofsOptions) {
    const { capacityMarkets } = options.table
    this.options = options
    this.table = options.table
    this.budget = new ProofBudget(options.budgetPercent)
    this.marks = new ProofMarks(capacityMarkets)
    this.trades = new LastTrades(capacityMarkets)
    this.bestMisses = new Uint8Array(capacityMarkets)
    this.toldAtMs = new Float64Array(capacityMarkets)
    this.tickedAtMs = options.steadyNow()
  }

  follow(slot: number, assetId: string, complementId: string | null): void {
    this.unfollow(slot)
    this.facts[slot] = new MarketFacts(assetId, complementId)
  }

  unfollow(slot: number): void {
    this.forget(slot)
    this.trades.reset(slot)
    this.toldAtMs[slot] = 0
    this.facts[slot] = undefined
  }

  /** What was told of a book so far says nothing of the one that comes. */
  forget(slot: number): void {
    this.marks.reset(slot)
    this.doubts.delete(slot)
    this.bestMisses[slot] = 0
  }

  /** Before a change is applied: proves the book if the change is of another group than the one before. */
  begin(slot: number, timestampMs: number, hash: number): void {
    if (this.marks.isOther(slot, timestampMs, hash)) this.conclude(slot, this.budget.allowsAny)
  }

  /** After a change or a book was applied: what the whole book must be once its group is over. */
  told(slot: number, timestampMs: number, hash: number, bestBid: PriceE4, bestAsk: PriceE4): void {
    // Compared while the book is at hand; it counts only if no other message of the group follows.
    const hasBest = this.hasBestPrices(slot, bestBid, bestAsk)
    this.marks.set(slot, timestampMs, hash, hasBest, this.tickedAtMs)
  }

  /** The hash of the complement's book in the same message. */
  toldComplement(slot: number, timestampMs: number, hash: number): void {
    this.marks.setComplement(slot, timestampMs, hash)
  }

  /** A level was removed or got smaller: its price may be that of a trade. */
  reduced(slot: number, price: PriceE4): void {
    this.trades.reduce(slot, price)
  }

  /** A trade was told, possibly late. */
  traded(slot: number, price: PriceE4): void {
    this.trades.tell(slot, price)
    if (this.doubts.has(slot)) this.conclude(slot, true)
  }

  /** The text of the last trade as a whole book of the stream, or of REST in its place, tells it. */
  toldLastTrade(slot: number, lastTrade: string): void {
    const facts = this.facts[slot]
    if (facts !== undefined) facts.lastTrade = lastTrade
  }

  /** The tick size as a whole book of the stream tells it. */
  toldTick(slot: number, tickSize: string): void {
    this.facts[slot]?.setTickSize(tickSize)
  }

  /** A new tick size holds for what is told from now on; `timestampMs` is the venue's. */
  tickChanged(slot: number, tickSize: string, timestampMs: number): void {
    const facts = this.facts[slot]
    if (facts === undefined) return
    if (this.marks.isPending(slot)) this.conclude(slot, true)
    facts.setTickSize(tickSize)
    facts.tickChangedAtMs = timestampMs
  }

  /**
   * Learns from a REST book, whose levels are in `bids` and `asks`, what the hash of this market's books is made of.
   * Only a book that has the hash which it names is believed: one that has not follows a rule that we do not know,
   * and by such a rule no book may be called wrong.
   */
  learn(slot: number, book: ParsedBook, bids: LevelList, asks: LevelList): void {
    const facts = this.facts[slot]
    const { market, tickSize, minOrderSize, negRisk, lastTrade, hash, timestampMs } = book
    if (facts === undefined || !this.budget.isOpen) return
    if (
      market === null ||
      tickSize === null ||
      minOrderSize === null ||
      negRisk === null ||
      lastTrade === null
    )
      return
    const { scratch, writer } = this
    scratch.replace(0, YES, bids)
    scratch.replace(0, NO, asks)
    const tail = hashTail(minOrderSize, tickSize, negRisk)
    writer.write(scratch, 0, YES, hashHead(market, facts.assetId), timestampMs, tail)
    if (writer.hashWith(lastTrade) === hash) facts.learn(book)
    else {
      this.options.counters.observe('rest_book_unproved')
      facts.forgetRule()
    }
  }

  /** True when nothing is known yet that a hash of this book could be worked out from. */
  needsFacts(slot: number): boolean {
    const facts = this.facts[slot]
    return this.budget.isOpen && facts !== undefined && facts.tail === null
  }

  /** Proves at once what was told last: for a book that was just replaced. */
  prove(slot: number): void {
    if (this.marks.isPending(slot)) this.conclude(slot, true)
  }

  /** Proves books that fell silent and ends doubts whose time is over; `nowMs` is on the steady clock. */
  settle(nowMs: number): void {
    this.tickedAtMs = nowMs
    this.budget.refill(nowMs)
    const { length } = this.facts
    for (let i = 0; i < length; i++) {
      const slot = (this.turn + i) % length
      if (!this.marks.isQuiet(slot, nowMs - QUIET_MS)) continue
      if (!this.budget.allowsLast && this.budget.isOpen) {
        this.turn = slot
        break
      }
      if (this.conclude(slot, true)) this.tell(slot)
    }
    // Never inside a group: what is pending is concluded first.
    for (const [slot, sinceMs] of this.doubts)
      if (nowMs - sinceMs >= HOLD_MS && !this.marks.isPending(slot)) this.decide(slot)
  }

  status(): ProofStatus {
    const { hashesMatched, mirrorsMatched, skipped, mismatches } = this
    let provable = 0
    for (const facts of this.facts) if (facts?.isKnown) provable++
    return {
      hashesMatched,
      mirrorsMatched,
      skipped,
      mismatches,
      provable,
      spentMs: Math.round(this.budget.spentMs)
    }
  }

  /** The group that was told last is over: true when that proved the book. */
  private conclude(slot: number, isWithinBudget: boolean): boolean {
    const { marks, doubts } = this
    const facts = this.facts[slot]
    const reasons = this.table.verdicts.reasons[slot] as number
    if (facts === undefined || (reasons & NEEDS_SNAPSHOT) !== 0) {
      marks.done(slot)
      doubts.delete(slot)
      return false
    }
    const hasBest = marks.hadBest(slot)
    if (!this.budget.isOpen || !facts.isKnown || marks.hash(slot) < 0) {
      marks.done(slot)
      this.judgeBest(slot, hasBest)
      return false
    }
    // A doubt, and a top that differs, are worth a proof at any time.
    if (!isWithinBudget && hasBest && !doubts.has(slot)) {
      marks.done(slot)
      this.skipped++
      return false
    }
    const startedAtMs = this.options.steadyNow()
    const isProved = this.matches(slot, facts)
    marks.done(slot)
    if (isProved) {
      this.verified(slot)
      if (!hasBest) this.options.counters.observe('best_price_off')
    } else if ((reasons & MISMATCH) === 0) this.doubt(slot, startedAtMs)
    this.budget.spend(this.options.steadyNow() - startedAtMs)
    return isProved
  }

  /** A book that never pauses is judged at the end of a group too, since it would be in the middle of one for ever. */
  private doubt(slot: number, nowMs: number): void {
    const sinceMs = this.doubts.get(slot)
    if (sinceMs === undefined) this.doubts.set(slot, this.marks.heardAtMs(slot))
    else if (nowMs - sinceMs >= HOLD_MS) this.decide(slot)
  }

  /** True when the book has the hash that was told last, with a last trade that may have been. */
  private matches(slot: number, facts: MarketFacts): boolean {
    // Of two messages that came in the wrong order, the one with the later time tells how the book is now: that the
    // book is as the other one says may just be what went wrong.
    const aside = this.marks.aside(slot)
    if (aside !== undefined) return this.matchesAt(slot, facts, aside.timestampMs, aside.hash)
    if (!this.matchesAt(slot, facts, this.marks.timestampMs(slot), this.marks.hash(slot))) return false
    this.proveMirror(slot, facts)
    return true
  }

  private matchesAt(slot: number, facts: MarketFacts, timestampMs: number, hash: number): boolean {
    const { writer } = this
    const lastTrade = facts.lastTrade as string
    writer.write(this.table.arena, slot, YES, facts.head(YES) as Buffer, timestampMs, facts.tail as Buffer)
    if (writer.hashWith(lastTrade) === hash) return true
    for (const text of this.trades.candidates(slot)) {
      if (text === lastTrade || writer.hashWith(text) !== hash) continue
      facts.lastTrade = text
      return true
    }
    return false
  }

  /** The venue holds two books that mirror each other: when ours is the one and not the other, theirs differ. */
  private proveMirror(slot: number, facts: MarketFacts): void {
    const hash = this.marks.complementHash(slot)
    const head = facts.head(NO)
    if (hash < 0 || head === null || this.hashesMatched % MIRROR_EVERY !== 0) return
    const { writer } = this
    const timestampMs = this.marks.timestampMs(slot)
    writer.write(this.table.arena, slot, NO, head, timestampMs, facts.tail as Buffer)
    if (writer.hashWith(facts.lastTrade as string) === hash) this.mirrorsMatched++
    else this.options.counters.observe('complement_is_no_mirror')
  }

  /** A doubt's time is over: any last trade at all may explain the hash, nothing else. */
  private decide(slot: number): void {
    const facts = this.facts[slot]
    const reasons = this.table.verdicts.reasons[slot] as number
    if (!this.doubts.has(slot)) return
    if (facts === undefined || !facts.isKnown || (reasons & NEEDS_SNAPSHOT) !== 0) {
      this.doubts.delete(slot)
      return
    }
    const startedAtMs = this.options.steadyNow()
    const isProved = this.matches(slot, facts) || this.searches(slot, facts)
    this.budget.spend(this.options.steadyNow() - startedAtMs)
    if (isProved) {
      this.verified(slot)
      this.tell(slot)
    } else this.fail(slot, 'hash_mismatch')
  }

  private searches(slot: number, facts: MarketFacts): boolean {
    const { writer, marks } = this
    const { arena } = this.table
    const told = { timestampMs: marks.timestampMs(slot), hash: marks.hash(slot) }
    const { timestampMs, hash } = marks.aside(slot) ?? told
    writer.write(arena, slot, YES, facts.head(YES) as Buffer, timestampMs, facts.tail as Buffer)
    const lastTrade = writer.search(allLastTrades(facts.tickSize as string), hash)
    if (lastTrade === undefined) return false
    facts.lastTrade = lastTrade
    this.options.counters.observe('last_trade_found')
    return true
  }

  private hasBestPrices(slot: number, toldBid: PriceE4, toldAsk: PriceE4): boolean {
    const { arena } = this.table
    const bid = arena.priceAt(slot, YES, 0)
    const otherBid = arena.priceAt(slot, NO, 0)
    // The venue prints an empty side as 0 and 1.
    const bidFits = toldBid === NOT_TOLD || toldBid === (bid < 0 ? 0 : bid)
    return bidFits && (toldAsk === NOT_TOLD || toldAsk === (otherBid < 0 ? ONE_E4 : ONE_E4 - otherBid))
  }

  private judgeBest(slot: number, hasBest: boolean): void {
    if (hasBest) {
      this.bestMisses[slot] = 0
      return
    }
    this.options.counters.observe('best_price_off')
    const misses = (this.bestMisses[slot] as number) + 1
    this.bestMisses[slot] = misses
    if (misses < BEST_MISSES) return
    this.bestMisses[slot] = 0
    if (((this.table.verdicts.reasons[slot] as number) & MISMATCH) === 0)
      this.fail(slot, 'best_price_mismatch')
  }

  /** The version of a book stays until it changes or is told: a proof of each message is not worth a new page. */
  private verified(slot: number): void {
    this.hashesMatched++
    this.bestMisses[slot] = 0
    this.doubts.delete(slot)
    this.marks.forgetAside(slot)
    this.table.verdicts.verified(slot, this.options.now())
    if (((this.table.verdicts.reasons[slot] as number) & MISMATCH) !== 0)
      this.table.clear(slot, 'hash_mismatch')
  }

  /** Shows readers a proof that no change of the book follows, at most once a second. */
  private tell(slot: number): void {
    const verifiedAtMs = this.table.verdicts.verifiedAtMs(slot)
    if (Math.abs(verifiedAtMs - (this.toldAtMs[slot] as number)) < TELL_EVERY_MS) return
    this.toldAtMs[slot] = verifiedAtMs
    this.table.touch(slot)
  }

  private fail(slot: number, proof: FailedProof): void {
    const { verdicts } = this.table
    this.mismatches++
    this.doubts.delete(slot)
    this.marks.reset(slot)
    verdicts.mismatches[slot] = (verdicts.mismatches[slot] as number) + 1
    const isNew = !verdicts.has(slot, 'hash_mismatch')
    this.table.raise(slot, 'hash_mismatch')
    this.options.onMismatch(slot, proof, isNew)
  }
}
