import type { FastifyBaseLogger } from 'fastify'
import type { AuditStatus } from '../integrity/audit-tally.ts'
import { Auditor, type TakeRead } from '../integrity/auditor.ts'
import type { BookTable } from '../integrity/book-table.ts'
import type { Incidents } from '../integrity/incidents.ts'
import { type LiveConnection, Liveness, type LivenessStatus } from '../integrity/liveness.ts'
import { SidePolls } from '../integrity/side-polls.ts'
import { LevelList } from '../orderbook/levels.ts'
import type { IndependentReads } from '../venue/handover-differences.ts'
import { RecycleLimit } from '../venue/recycle-limit.ts'
import type { HistoryTaps } from '../venue/wire-tap.ts'
import { fillBook } from './book-writer.ts'
import { BOOKS_PER_CALL, type PolymarketRest } from './rest.ts'

/** The connections in what audits need of them. */
export interface AuditedConnections {
  live(): LiveConnection[]
  /** Asks for a fresh snapshot. */
  resubscribe(assetId: string): void
  /** Subscribes an asset on another connection. */
  move(assetId: string): void
  /** Cuts the connecting of this name and dials again. */
  drop(key: string, reason: string): void
  /** Names the connecting that an asset is streamed by; null while it is not. */
  streamOf(assetId: string): string | null
}

export interface PolymarketAuditsOptions {
  table: BookTable
  rest: Pick<PolymarketRest, 'fetchBooks' | 'hasRoomForBooks'>
  connections: AuditedConnections
  /** Followed assets and the slots of their books. */
  followed: () => Iterable<readonly [assetId: string, slot: number]>
  assetOf: (slot: number) => string | null
  slotOf: (assetId: string) => number | undefined
  marketId: (slot: number) => string | null
  /** Reads a book over REST, to stand in for the stream's. */
  reread: (assetId: string) => void
  incidents: Incidents
  /** Called with each book that was read, before it is compared; null: nobody is told. */
  onPolled?: HistoryTaps['onPolled'] | null
  /** A book was proven wrong, for the `attempt`th time in a row. */
  onWrong?: (slot: number, attempt: number) => void
  periodMs: number
  /** Between two rounds over the streamed books beside the stream. */
  pollIntervalMs: number
  log: Pick<FastifyBaseLogger, 'warn'>
  now: () => number
  steadyNow: () => number
  random: () => number
}

/** A book that was proven wrong so often in a row stopped on its connection, not just once: it gets another one. */
const MOVE_AT_ATTEMPT = 2
/** On the other connection too: with others like it, it is the connection that is dead. */
const RECYCLE_AT_ATTEMPT = 3

/** Reads Polymarket's books over REST beside the stream, proves them by that, and tells quiet markets and connections from dead ones. */
export class PolymarketAudits {
  private readonly options: PolymarketAuditsOptions
  private readonly auditor: Auditor
  private readonly liveness: Liveness
  private readonly polls: SidePolls
  private readonly yes = new LevelList()
  private readonly no = new LevelList()
  private readonly limit: RecycleLimit

  constructor(options: PolymarketAuditsOptions) {
    this.options = options
    const { table, rest, connections, followed, marketId, incidents, now, steadyNow, random } = options
    this.limit = new RecycleLimit(steadyNow)
    const shared = { venue: 'polymarket', table, incidents, steadyNow }
    const slots = () => [...followed()].map(([, slot]) => slot)
    this.auditor = new Auditor({
      ...shared,
      slots,
      marketId,
      read: (slots, take) => this.read(slots, take),
      booksPerRead: () => BOOKS_PER_CALL,
      periodMs: options.periodMs,
      repair: (slot, attempt) => this.repair(slot, attempt),
      now,
      random
    })
    this.polls = new SidePolls({
      ...this.reads,
      slots,
      compare: (...read) => this.auditor.polled(...read),
      hasRoom: () => rest.hasRoomForBooks,
      intervalMs: options.pollIntervalMs,
      steadyNow
    })
    this.liveness = new Liveness({
      ...shared,
      leadMs: this.auditor.leadMs,
      connections: () => connections.live(),
      audit: (slot, unchangedForMs, onDone) => this.auditor.urgent(slot, unchangedForMs, onDone),
      recycle: (key, reason) => this.recycle(key, reason)
    })
  }

  start(): void {
    this.auditor.start()
    this.polls.start()
    this.liveness.start()
  }

  stop(): void {
    this.auditor.stop()
    this.polls.stop()
    this.liveness.stop()
  }

  status(): { audit: AuditStatus; liveness: LivenessStatus } {
    const audit = { ...this.auditor.status(), polls: this.polls.status() }
    return { audit, liveness: this.liveness.status() }
  }

  /** What audits read, for a handover that has to decide between two books of an asset. */
  get reads(): IndependentReads {
    return {
      read: (slots, take) => this.read(slots, take),
      booksPerRead: () => BOOKS_PER_CALL,
      leadMs: this.auditor.leadMs
    }
  }

  /** Milliseconds since a book was compared and not found wrong; null before the first time. */
  auditAgeMs(slot: number): number | null {
    return this.auditor.ageMs(slot)
  }

  private async read(slots: readonly number[], take: TakeRead): Promise<void> {
    const { rest, assetOf, slotOf, onPolled, now } = this.options
    const assetIds = slots.map(assetOf).filter((assetId) => assetId !== null)
    if (assetIds.length === 0) return
    for (const book of await rest.fetchBooks(assetIds)) {
      const slot = slotOf(book.assetId)
      if (slot === undefined || !fillBook(book, this.yes, this.no)) continue
      onPolled?.(slot, now(), this.yes, this.no)
      take(slot, this.yes, this.no)
    }
  }

  /** A fresh book heals what was lost; whether the stream of this market lives shows at the next audit. */
  private repair(slot: number, attempt: number): void {
    const { assetOf, connections, reread, onWrong } = this.options
    onWrong?.(slot, attempt)
    const assetId = assetOf(slot)
    if (assetId === null) return
    const key = connections.streamOf(assetId)
    if (attempt >= RECYCLE_AT_ATTEMPT && key !== null && this.limit.stayedWrong(key, assetId))
      this.recycle(key, 'two books stayed wrong on two connections')
    else if (isPowerOf2(attempt) && attempt >= MOVE_AT_ATTEMPT) connections.move(assetId)
    else connections.resubscribe(assetId)
    reread(assetId)
  }

  private recycle(key: string, reason: string): void {
    const { connections, incidents, log } = this.options
    incidents.note({ venue: 'polymarket', kind: 'connection_recycled', connection: key, detail: reason })
    log.warn({ connection: key, reason }, 'the connection is given up')
    connections.drop(key, reason)
  }
}

/** What did not help is done again ever more rarely: a move may cost a connection that is dialled for it. */
function isPowerOf2(attempt: number): boolean {
  return (attempt & (attempt - 1)) === 0
}
