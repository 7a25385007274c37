import { stripVTControlCharacters, styleText } from 'node:util'
import type { FastifyInstance } from 'fastify'
import { VENUES } from '../schemas/common.ts'
import { YES } from '../services/orderbook/arena.ts'
import { getQuote } from '../services/orderbook/quote.ts'
import type { MarketRecord } from '../services/snapshots/market-record.ts'

const ROWS_A_VENUE = 6
const REDRAW_MS = 500
/** Without a terminal a few rounds of lines show that the books move. */
const PLAIN_ROUNDS = 3

/**
 * Shows each venue's busiest books: a table that redraws at a terminal, a few rounds of lines elsewhere. Returns
 * what stops it.
 */
export function startBoard(app: FastifyInstance): () => void {
  const { snapshotStore: store } = app
  const consumer = store.consume()
  const recent = new Map<number, number>()
  const terminal = process.stdout.isTTY === true
  let drawn = 0
  let rounds = 0
  /** Set when the first synchronisation is done: what that takes in is no change. */
  let revision: number | null = null

  const draw = () => {
    if (revision === null) {
      consumer.drain(() => {})
      if (app.venueFeeds.every((feed) => feed.status().synced)) revision = store.revision
      return
    }
    consumer.drain((slot) => recent.set(slot, (recent.get(slot) ?? 0) + 1))
    const busiest = [...recent].sort(([, a], [, b]) => b - a).flatMap(([slot]) => store.at(slot) ?? [])
    const rows = VENUES.flatMap((venue) =>
      busiest.filter(({ market }) => market.venue === venue).slice(0, rowsAVenue())
    )
    const changes = Math.round(((store.revision - revision) * 1_000) / REDRAW_MS)
    revision = store.revision
    if (rows.length === 0) return
    const lines = [
      `${store.size} markets, ${changes} changes a second`,
      ...rows.map((record) => row(app, record))
    ]
    if (terminal) {
      // Long lines are cut, not wrapped: going up counts lines.
      const up = drawn > 0 ? `\x1b[${drawn}A` : ''
      process.stdout.write(`${up}\x1b[?7l${lines.map((line) => `\x1b[2K${line}\n`).join('')}\x1b[?7h`)
    } else for (const line of lines) console.log(stripVTControlCharacters(line))
    drawn = lines.length
    if (!terminal && ++rounds === PLAIN_ROUNDS) stop()
  }
  const timer = setInterval(draw, REDRAW_MS)
  const stop = () => {
    clearInterval(timer)
    consumer.close()
  }
  return stop
}

/** As many as fit the terminal, with the line above them. */
function rowsAVenue(): number {
  const fit = Math.floor(((process.stdout.rows ?? Number.POSITIVE_INFINITY) - 2) / VENUES.length)
  return Math.max(1, Math.min(ROWS_A_VENUE, fit))
}

function row({ snapshotStore: { books } }: FastifyInstance, { slot, market }: MarketRecord): string {
  const { bestBid, bestBidSize, bestAsk, bestAskSize } = getQuote(books.arena, slot, YES)
  const state = books.verdicts.state(slot)
  const bid = `${bestBidSize ?? ''} @ ${bestBid ?? '-'}`.padStart(18)
  const ask = `${bestAsk ?? '-'} @ ${bestAskSize ?? ''}`.padEnd(18)
  const width = Math.max(16, Math.min(44, (process.stdout.columns ?? 120) - 62))
  const title =
    market.title.length > width ? `${market.title.slice(0, width - 1)}…` : market.title.padEnd(width)
  const colour = state === 'live' ? 'green' : state === 'closed' ? 'gray' : 'yellow'
  return `${styleText(colour, state.padEnd(8))} ${market.venue.padEnd(10)} ${title} ${bid}  ${ask}`
}
