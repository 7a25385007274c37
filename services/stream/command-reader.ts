import type { StreamErrorCode } from '../../schemas/stream.ts'
import type { StreamCommand } from '../../schemas/stream-commands.ts'
import { contradiction } from './question.ts'

/** Why a message was not understood; `id` is the subscription that it names, if it does. */
export interface BadCommand {
  code: StreamErrorCode
  message: string
  id?: string
}

/** Returns what a client's message says, or why it cannot be told. */
export type CommandReader = (text: string) => StreamCommand | BadCommand

/** What is wrong with a value, by its schema: where, as a path, and what it must be. */
export interface Malformation {
  path: string
  message: string
}

export interface CommandReaderOptions {
  channels: readonly string[]
  /** Checks an object with that `op` against its schema; null when it matches. */
  check: (op: StreamCommand['op'], value: unknown) => Malformation | null
}

const OPS = ['subscribe', 'unsubscribe', 'ping'] as const
const ID_MAX = 64

/** Returns a reader of commands that names the first thing that is wrong. */
export function commandReader({ channels, check }: CommandReaderOptions): CommandReader {
  return (text) => {
    const value = parse(text)
    if (value === undefined)
      return { code: 'BAD_JSON', message: 'a message must be one JSON object, as text' }
    const id = typeof value.id === 'string' && value.id.length <= ID_MAX ? { id: value.id } : {}
    const op = OPS.find((one) => one === value.op)
    if (op === undefined) return { code: 'UNKNOWN_OP', message: `op must be one of ${OPS.join(', ')}`, ...id }
    if (op === 'subscribe' && !channels.includes(value.channel as string))
      return { code: 'UNKNOWN_CHANNEL', message: `channel must be one of ${channels.join(', ')}`, ...id }
    const wrong = check(op, value)
    if (wrong !== null) return { code: 'BAD_MESSAGE', message: `${wrong.path}${wrong.message}`, ...id }
    const command = value as unknown as StreamCommand
    const message = command.op === 'subscribe' ? contradiction(command) : null
    return message === null ? command : { code: 'BAD_MESSAGE', message, ...id }
  }
}

function parse(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : undefined
  } catch {
    return undefined
  }
}
