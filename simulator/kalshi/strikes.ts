import type { FaultParameters, FaultRule, Faults } from '../faults.ts'
import type { Connection } from './connection.ts'
import { TERMINAL_CODES } from './errors.ts'
import type { Stamp } from './frames.ts'
import { covers } from './subscriptions.ts'

type Parameters = Readonly<FaultParameters>

/** The faults that act on a connection by themselves, at once. */
const STRIKES = {
  cut_socket: (connection: Connection) => connection.cut(),
  close_socket: (connection: Connection, { code }: Parameters) => connection.close(code ?? 1001),
  unknown_type: (connection: Connection) => sendUnknownType(connection),
  nonjson_text: (connection: Connection, { text }: Parameters) =>
    connection.write(text ?? 'upstream connect error or disconnect'),
  kalshi_error: (connection: Connection, { code }: Parameters) => sendError(connection, code ?? 25)
} as const

/**
 * Strikes the connections with a fault that acts at once, as soon as it is switched on. One firing hits all
 * of them, or the one it names; where there is none, `strikeLate` hits who subscribes next.
 */
export function strike(
  rule: FaultRule,
  faults: Faults,
  connections: ReadonlySet<Connection>,
  stamp: () => Stamp
): void {
  if (rule.venue !== 'kalshi') return
  const { connection: number } = rule.parameters
  const targets = [...connections].filter((one) => number === undefined || one.number === number)
  if (rule.name === 'crossed_book' || rule.name === 'negative_level') {
    for (const connection of targets) lieAtOnce(connection, rule.parameters.market, stamp())
    return
  }
  if (rule.name === 'half_open') {
    for (const connection of targets) connection.checkHalfOpen()
    return
  }
  if (!isStrike(rule.name) || targets.length === 0 || isAnswer(rule.name, rule.parameters)) return
  const parameters = faults.consume('kalshi', rule.name, number === undefined ? {} : { connection: number })
  if (parameters === undefined) return
  for (const connection of targets) STRIKES[rule.name](connection, parameters)
}

/** Strikes a connection that just subscribed with what still has to fire. */
export function strikeLate(connection: Connection, faults: Faults): void {
  for (const name of Object.keys(STRIKES).filter(isStrike)) {
    const parameters = faults.active('kalshi', name, connection.place())
    if (parameters === undefined || isAnswer(name, parameters)) continue
    faults.consume('kalshi', name, connection.place())
    STRIKES[name](connection, parameters)
  }
}

/** An error that ends nothing is the answer to the next command. */
function isAnswer(name: string, { code }: Parameters): boolean {
  return name === 'kalshi_error' && !TERMINAL_CODES.has(code ?? 0)
}

function isStrike(name: string): name is keyof typeof STRIKES {
  return Object.hasOwn(STRIKES, name)
}

/** A message with the next number of a subscription, so that a client which skips it whole sees a gap. */
function sendUnknownType(connection: Connection): void {
  const [subscription] = connection.subscriptions.list()
  if (subscription) connection.send(subscription, 'orderbook_pulse', '{"level":1,"nested":{"a":[null]}}')
  else connection.write('{"type":"orderbook_pulse","msg":{"level":1}}')
}

function sendError(connection: Connection, code: number): void {
  const subscription = connection.subscriptions.on('orderbook_delta') ?? connection.subscriptions.list()[0]
  if (subscription) connection.end(subscription, code)
}

/**
 * Lies about one market that the connection follows; where nothing can be said of it, the next change of
 * another serves.
 */
function lieAtOnce(connection: Connection, ticker: string | undefined, stamp: Stamp): void {
  const subscription = connection.subscriptions.on('orderbook_delta')
  const known = ticker === undefined ? [...(subscription?.tickers ?? [])] : [ticker]
  for (const one of known) {
    const market = connection.floor.market(one)
    if (market === undefined || subscription === undefined || !covers(subscription, one)) continue
    if (market.book.asks.size === 0) continue
    connection.lie(subscription, market, stamp)
    return
  }
}
