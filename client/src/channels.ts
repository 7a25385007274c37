import { type Book, HeldBook } from './book.ts'
import { type Keeping, MarketState } from './market-state.ts'
import type {
  Health,
  StreamBook,
  StreamChange,
  StreamDepth,
  StreamDepthMessage,
  StreamHealthMessage,
  StreamSnapshot,
  StreamTicker,
  StreamTickers,
  StreamTrades
} from './messages.gen.ts'

/** What brings something of the asked: as it is, or as it happens. */
export type PayloadMessage =
  | StreamSnapshot
  | StreamChange
  | StreamDepthMessage
  | StreamTickers
  | StreamTrades
  | StreamHealthMessage

/** Returns what a message brings, one a market or trade. */
export function payloadOf(message: PayloadMessage): readonly unknown[] {
  switch (message.type) {
    case 'change':
      return message.books
    case 'depth':
      return message.depth
    case 'tickers':
      return message.tickers
    case 'trades':
      return message.trades
    case 'health':
      return [message.health]
    case 'snapshot':
      return message.books ?? message.depth ?? message.tickers ?? (message.health ? [message.health] : [])
  }
}

const books: Keeping<StreamBook, HeldBook, Book> = {
  idOf: ({ id }) => id,
  apply: (told, held, id) => {
    const book = held ?? new HeldBook(id)
    const applied = book.apply(told)
    return applied === 'whole' || applied === 'changed' ? { held: book, isWhole: applied === 'whole' } : null
  },
  toValue: (held) => held.toBook()
}

/** Of channels whose every message has the whole of a market: it replaces what was. */
function latest<T>(idOf: (told: T) => string): Keeping<T, T, T> {
  return { idOf, apply: (told) => ({ held: told, isWhole: true }), toValue: (held) => held }
}

export const bookState = (onConflated: () => void) => new MarketState(books, onConflated)
export const depthState = (onConflated: () => void) =>
  new MarketState(
    latest<StreamDepth>(({ id }) => id),
    onConflated
  )
export const tickerState = (onConflated: () => void) =>
  new MarketState(
    latest<StreamTicker>(({ id }) => id),
    onConflated
  )
export const healthState = (onConflated: () => void) =>
  new MarketState(
    latest<Health>(() => 'health'),
    onConflated
  )
