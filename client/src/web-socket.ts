import { StreamClientError } from './errors.ts'

/** What the client needs of a WebSocket; that of browsers, of Node 22 and of `ws` have it. */
export interface WebSocketLike {
  send(text: string): void
  close(code?: number, reason?: string): void
  /** Where there is one (`ws`): ends it without waiting for the peer. */
  terminate?(): void
  addEventListener(type: 'open' | 'error', listener: () => void): void
  addEventListener(type: 'message', listener: (event: { data: unknown }) => void): void
  addEventListener(type: 'close', listener: (event: { code: number; reason: string }) => void): void
}

export type WebSocketConstructor = new (url: string) => WebSocketLike

/**
 * Returns the WebSocket of this place: the global one, or that of the package `ws`, in a Node that has none.
 *
 * @throws {StreamClientError} NO_WEB_SOCKET if there is neither
 */
export async function findWebSocket(): Promise<WebSocketConstructor> {
  const { WebSocket } = globalThis as { WebSocket?: unknown }
  if (typeof WebSocket === 'function') return WebSocket as WebSocketConstructor
  // Not a literal: bundlers for browsers must not look for it.
  const name = 'ws'
  const found: unknown = await import(/* @vite-ignore */ /* webpackIgnore: true */ name).catch(() => null)
  if (found !== null) return (found as { WebSocket: WebSocketConstructor }).WebSocket
  throw new StreamClientError(
    'NO_WEB_SOCKET',
    'there is no WebSocket here: use Node 22 or later, install ws, or give one as the option webSocket'
  )
}

/** Returns the address of a gateway's stream: `http` becomes `ws`, and an origin alone gets the usual path. */
export function streamUrl(url: string): string {
  const { location } = globalThis as { location?: { href: string } }
  const full = new URL(url, location?.href)
  full.protocol = full.protocol.replace(/^http/, 'ws')
  if (full.pathname === '/') full.pathname = '/v1/stream'
  return full.href
}
