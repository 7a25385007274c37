import type { GapNote, HistoryTaps, TradeNote, WireTap } from '../../../services/venue/wire-tap.ts'

export interface WireEvent {
  kind: 'opened' | 'closed' | 'frame' | 'command' | 'adopted' | 'rest'
  venue: string
  connection: number
  atMs: number
  text: string
}

/** Taps that remember all that they were told. */
export function recordedTaps() {
  const events: WireEvent[] = []
  const trades: TradeNote[] = []
  const gaps: GapNote[] = []
  const polled: { slot: number; levels: number }[] = []
  let connections = 0
  const note = (kind: WireEvent['kind'], venue: string, connection: number, atMs: number, text: string) => {
    events.push({ kind, venue, connection, atMs, text })
  }
  const wire: WireTap = {
    opened(venue, name, atMs) {
      note('opened', venue, ++connections, atMs, name)
      return connections
    },
    closed: (venue, connection, atMs, reason) => note('closed', venue, connection, atMs, reason),
    frame: (venue, connection, atMs, bytes) => note('frame', venue, connection, atMs, bytes.toString()),
    command: (venue, connection, atMs, text) => note('command', venue, connection, atMs, text),
    adopted: (venue, connection, atMs) => note('adopted', venue, connection, atMs, ''),
    rest: (venue, atMs, body) => note('rest', venue, 0, atMs, body)
  }
  const history: HistoryTaps = {
    wire,
    onTrade: (trade) => trades.push(trade),
    onGap: (gap) => gaps.push(gap),
    onPolled: (slot, _atMs, yes, no) => polled.push({ slot, levels: yes.count + no.count })
  }
  return {
    history,
    events,
    trades,
    gaps,
    polled,
    of: (kind: WireEvent['kind'], connection?: number) =>
      events.filter((one) => one.kind === kind && (connection === undefined || one.connection === connection))
  }
}
