import type { TopicMessage } from './feed.ts'
import type { StreamError, StreamPong, StreamSubscribed, StreamUnsubscribed } from './messages.gen.ts'

/** Whatever comes on a stream. */
export type StreamMessage = TopicMessage | StreamSubscribed | StreamUnsubscribed | StreamError | StreamPong

/** Returns a message of the stream, or null for what is none; its fields are the gateway's to guarantee. */
export function parseMessage(data: unknown): StreamMessage | null {
  if (typeof data !== 'string') return null
  try {
    const value: unknown = JSON.parse(data)
    return typeof value === 'object' && value !== null && 'type' in value ? (value as StreamMessage) : null
  } catch {
    return null
  }
}
