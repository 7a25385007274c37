import type { StreamChannel, StreamSubscribe } from '../../schemas/stream-commands.ts'
import type { VerdictSource, VerdictState } from '../integrity/verdict.ts'
import { type MarketFilter, matchesFilter } from '../snapshots/market-queries.ts'
import type { MarketRecord } from '../snapshots/market-record.ts'

/** What a subscription asks for, with everything said that it may leave out. */
export interface Question {
  channel: StreamChannel
  /** Ids in order, each once; null where the markets are chosen otherwise. */
  markets: readonly string[] | null
  event: string | null
  filter: Omit<MarketFilter, 'sort'>
  /** Levels a side, for the channel depth; else 0. */
  depth: number
  /** Shortest time between two messages; 0: as they come. */
  intervalMs: number
  form: 'crossbook' | 'summary'
}

export interface QuestionDefaults {
  depth: number
  depthIntervalMs: number
  healthIntervalMs: number
  tickerIntervalMs: number
}

/** Returns what a valid `subscribe` asks for. */
export function questionOf(command: StreamSubscribe, defaults: QuestionDefaults): Question {
  const { channel, markets, event, venue, filter = {} } = command
  return {
    channel,
    markets: markets === undefined ? null : [...new Set(markets)].sort(),
    event: event ?? null,
    filter: venue === undefined ? filter : { venue },
    depth: channel === 'depth' ? (command.depth ?? defaults.depth) : 0,
    intervalMs: intervalOf(command, defaults),
    form: command.form ?? 'crossbook'
  }
}

function intervalOf({ channel, intervalMs }: StreamSubscribe, defaults: QuestionDefaults): number {
  if (channel === 'ticker') return defaults.tickerIntervalMs
  if (channel === 'depth') return intervalMs ?? defaults.depthIntervalMs
  return channel === 'health' ? (intervalMs ?? defaults.healthIntervalMs) : 0
}

/** Returns the same text for questions that ask for the same. */
export function questionKey({ channel, markets, event, filter, depth, intervalMs, form }: Question): string {
  const { venue, status, state, source, q } = filter
  return JSON.stringify([
    channel,
    markets,
    event,
    venue,
    status,
    state,
    source,
    q?.toLowerCase(),
    depth,
    intervalMs,
    form
  ])
}

/** Returns why the parts of a `subscribe` do not go together, in one sentence; null when they do. */
export function contradiction(command: StreamSubscribe): string | null {
  const { channel, markets, event, venue, filter, depth, intervalMs, form } = command
  const choices = Object.entries({ markets, event, venue, filter }).filter(([, value]) => value !== undefined)
  if (choices.length > 1)
    return `${choices.map(([name]) => name).join(' and ')} cannot be given together: choose one`
  const [chosen] = choices[0] ?? []
  if (channel === 'health' && chosen !== undefined)
    return `${chosen} has no meaning for the channel health: leave it out`
  if (depth !== undefined && channel !== 'depth') return onlyFor('depth', 'depth', channel)
  if (form !== undefined && channel !== 'ticker') return onlyFor('form', 'ticker', channel)
  if (intervalMs !== undefined && channel !== 'depth' && channel !== 'health')
    return onlyFor('intervalMs', 'depth and health', channel)
  return null
}

function onlyFor(option: string, channels: string, channel: StreamChannel): string {
  return `${option} is only for ${channels}, and the channel is ${channel}: leave it out`
}

/** Decides which markets a question is about. */
export class Membership {
  /** True where a change of reasons or source can move a market in or out. */
  readonly byVerdict: boolean
  private readonly question: Question
  private readonly needle: string | undefined
  private readonly verdicts: {
    state: (slot: number) => VerdictState
    sourceOf: (slot: number) => VerdictSource
  }

  constructor(question: Question, verdicts: Membership['verdicts']) {
    const { state, source, q } = question.filter
    this.question = question
    this.verdicts = verdicts
    this.needle = q?.toLowerCase()
    this.byVerdict = state !== undefined || source !== undefined
  }

  includes(record: MarketRecord): boolean {
    const { channel, markets, event, filter } = this.question
    if (channel === 'health') return false
    if (markets !== null) return markets.includes(record.id)
    if (event !== null) return record.market.eventId === event
    return matchesFilter(filter, this.needle, record, {
      state: ({ slot }) => this.verdicts.state(slot),
      source: ({ slot }) => this.verdicts.sourceOf(slot)
    })
  }
}
