import WebSocket from 'ws'

const TIMEOUT_MS = 10_000

/** Returns whether the venue takes an upgrade with these headers: one that it takes is closed at once. Never rejects. */
export function isUpgradeTaken(url: string, headers: Record<string, string>): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = new WebSocket(url, { headers, handshakeTimeout: TIMEOUT_MS, perMessageDeflate: false })
    socket.on('open', () => {
      resolve(true)
      socket.close(1000)
    })
    socket.on('error', () => resolve(false))
    socket.on('close', () => resolve(false))
  })
}
