/** Why the gateway ends a connection, with the code and the words that the client gets; see docs/stream.md. */
export const CLOSE_REASONS = {
  going_away: [1001, 'the gateway stops: connect again and resume'],
  too_many_clients: [1013, 'as many clients as are allowed are connected: try again later'],
  slow: [4000, 'it read too slowly, and its policy is to disconnect'],
  stalled: [4001, 'it read nothing for too long'],
  abuse: [4002, 'it sent too many malformed messages in a row'],
  idle: [4003, 'it had no subscription for too long'],
  silent: [4004, 'it answered no ping for too long']
} as const satisfies Record<string, readonly [code: number, reason: string]>
export type CloseReason = keyof typeof CLOSE_REASONS
