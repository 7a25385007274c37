import type { Connection } from './connection.ts'
import { errorBody, TERMINAL_CODES } from './errors.ts'
import type { Json, JsonObject } from './objects.ts'
import { channelRules, type Subscription } from './subscriptions.ts'

/** A command that cannot be done, with the venue's code; `sid` where one subscription is concerned. */
class Refusal extends Error {
  readonly code: number
  readonly subscription: Subscription | null

  constructor(code: number, subscription: Subscription | null = null) {
    super(`refused with ${code}`)
    this.code = code
    this.subscription = subscription
  }
}

const COMMANDS: Record<string, (connection: Connection, id: number | null, params: JsonObject) => void> = {
  subscribe,
  unsubscribe,
  update_subscription: updateSubscription,
  list_subscriptions: listSubscriptions
}

/** Runs one command text and sends its answers; what is wrong with it is answered with an error. */
export function runCommand(connection: Connection, text: string): void {
  const command = parseObject(text)
  const id = typeof command?.id === 'number' && command.id !== 0 ? command.id : null
  try {
    if (command === null || (command.id !== undefined && !Number.isInteger(command.id))) throw new Refusal(1)
    const fault = connection.floor.faults.active('kalshi', 'kalshi_error', connection.place())
    if (fault?.code !== undefined && !TERMINAL_CODES.has(fault.code)) {
      connection.floor.faults.consume('kalshi', 'kalshi_error', connection.place())
      throw new Refusal(fault.code)
    }
    const run =
      typeof command.cmd === 'string' && Object.hasOwn(COMMANDS, command.cmd) ? COMMANDS[command.cmd] : null
    if (!run) throw new Refusal(5)
    const { params } = command
    if (params === undefined && run !== listSubscriptions) throw new Refusal(2)
    if (params !== undefined && !isObject(params)) throw new Refusal(1)
    run(connection, id, params ?? {})
  } catch (error) {
    if (!(error instanceof Refusal)) throw error
    const body = errorBody(error.code)
    // An error about one subscription comes with its sid, and without the id of the command.
    if (error.subscription) connection.send(error.subscription, 'error', body)
    else connection.write(`{"type":"error"${id === null ? '' : `,"id":${id}`},"msg":${body}}`)
  }
}

function subscribe(connection: Connection, id: number | null, params: JsonObject): void {
  const { channels } = params
  if (channels === undefined || (Array.isArray(channels) && channels.length === 0)) throw new Refusal(3)
  if (!isTexts(channels)) throw new Refusal(11)
  const asked = askedTickers(connection, params)
  for (const channel of channels) {
    const rules = channelRules(channel)
    if (rules === undefined) throw new Refusal(8)
    if (rules.tickers === 'required' && asked === null) throw new Refusal(14)
  }
  for (const channel of channels) subscribeChannel(connection, id, channel, asked, params)
  connection.floor.onSubscribed(connection)
}

function subscribeChannel(
  connection: Connection,
  id: number | null,
  channel: string,
  asked: string[] | null,
  params: JsonObject
): void {
  const { faults } = connection.floor
  const wanted = channelRules(channel)?.tickers === 'ignored' ? null : asked
  const existing = connection.subscriptions.on(channel)
  const subscription =
    existing ??
    connection.subscriptions.open(
      channel,
      wanted === null ? null : new Set(),
      params.use_yes_price === true,
      params.skip_ticker_ack === true
    )
  if (params.skip_ticker_ack !== undefined) subscription.skipsList = params.skip_ticker_ack === true
  const added = addTickers(subscription, wanted ?? [])
  if (existing !== undefined || faults.consume('kalshi', 'merged_subscribe', connection.place())) {
    acknowledge(connection, subscription, id)
  } else {
    const body = `{"channel":"${channel}","sid":${subscription.sid}}`
    connection.write(`{"type":"subscribed"${id === null ? '' : `,"id":${id}`},"msg":${body}}`)
  }
  if (channel === 'orderbook_delta') sendSnapshots(connection, subscription, added)
  if (channel === 'ticker' && params.send_initial_snapshot === true) {
    for (const ticker of wanted ?? []) connection.sendTicker(subscription, ticker)
  }
}

function updateSubscription(connection: Connection, id: number | null, params: JsonObject): void {
  const sids = askedSids(params)
  if (sids.length !== 1) throw new Refusal(12)
  const subscription = connection.subscriptions.get(sids[0] ?? 0)
  if (subscription === undefined) throw new Refusal(7)
  const { action } = params
  if (action === undefined) throw new Refusal(15, subscription)
  const asked = askedTickers(connection, params)
  if (action === 'get_snapshot') {
    if (subscription.channel !== 'orderbook_delta') throw new Refusal(13, subscription)
    if (!isTexts(params.market_tickers)) throw new Refusal(14, subscription)
    const held = params.market_tickers.filter((ticker) => subscription.tickers?.has(ticker))
    sendSnapshots(connection, subscription, held, id)
    return
  }
  if (action !== 'add_markets' && action !== 'delete_markets') throw new Refusal(13, subscription)
  if (subscription.tickers === null) throw new Refusal(13, subscription)
  if (asked === null) throw new Refusal(14, subscription)
  if (action === 'delete_markets') {
    for (const ticker of asked) subscription.tickers.delete(ticker)
    acknowledge(connection, subscription, id)
    return
  }
  const added = addTickers(subscription, asked)
  acknowledge(connection, subscription, id)
  if (subscription.channel === 'orderbook_delta') sendSnapshots(connection, subscription, added)
}

function unsubscribe(connection: Connection, id: number | null, params: JsonObject): void {
  const sids = askedSids(params)
  for (const sid of sids) {
    const subscription = connection.subscriptions.get(sid)
    if (subscription === undefined) throw new Refusal(7)
    connection.subscriptions.end(subscription)
    const seq = subscription.sequenced ? `,"seq":${++subscription.seq}` : ''
    connection.write(`{"type":"unsubscribed"${id === null ? '' : `,"id":${id}`},"sid":${sid}${seq}}`)
  }
}

function listSubscriptions(connection: Connection, id: number | null): void {
  const list = connection.subscriptions.list().map(({ channel, sid }) => ({ channel, sid }))
  connection.write(`{"type":"ok"${id === null ? '' : `,"id":${id}`},"msg":${JSON.stringify(list)}}`)
}

/** Answers `ok` with every market of the subscription, sorted, unless the client asked to be spared. */
function acknowledge(connection: Connection, subscription: Subscription, id: number | null): void {
  const body = subscription.skipsList
    ? '{}'
    : JSON.stringify({ market_tickers: [...(subscription.tickers ?? [])].sort() })
  connection.send(subscription, 'ok', body, id)
}

/** A finished or unknown market gets neither a snapshot nor an error. */
function sendSnapshots(
  connection: Connection,
  subscription: Subscription,
  tickers: string[],
  id: number | null = null
): void {
  for (const ticker of tickers) {
    const market = connection.floor.market(ticker)
    if (market !== undefined && market.status !== 'settled') connection.sendSnapshot(subscription, market, id)
  }
}

function addTickers(subscription: Subscription, asked: string[]): string[] {
  const { tickers } = subscription
  if (tickers === null) return []
  const added = [...new Set(asked)].filter((ticker) => !tickers.has(ticker))
  for (const ticker of added) tickers.add(ticker)
  return added
}

/** Returns the markets that a command names, null where it names none. */
function askedTickers(connection: Connection, params: JsonObject): string[] | null {
  const named = ['market_ticker', 'market_tickers', 'market_id', 'market_ids'].filter(
    (key) => params[key] !== undefined
  )
  const [key] = named
  if (key === undefined) return null
  if (named.length > 1) throw new Refusal(11)
  const value = params[key]
  const texts = typeof value === 'string' ? [value] : value
  if (!isTexts(texts)) throw new Refusal(11)
  if (texts.length === 0) return null
  if (!key.startsWith('market_id')) return texts
  return texts.map((uid) => connection.floor.marketByUid(uid)?.id ?? uid)
}

function askedSids(params: JsonObject): number[] {
  if (typeof params.sid === 'number') return [params.sid]
  if (params.sids === undefined) throw new Refusal(4)
  if (!Array.isArray(params.sids) || !params.sids.every((sid) => typeof sid === 'number'))
    throw new Refusal(11)
  if (params.sids.length === 0) throw new Refusal(4)
  return params.sids as number[]
}

function parseObject(text: string): JsonObject | null {
  try {
    const value: Json = JSON.parse(text)
    return isObject(value) ? value : null
  } catch {
    return null
  }
}

function isObject(value: Json): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isTexts(value: Json | undefined): value is string[] {
  return Array.isArray(value) && value.every((item) => typeof item === 'string')
}
