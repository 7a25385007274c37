import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A line to a port that can be cut: then every connection breaks, and new ones are refused until it is mended. */
export class SeverableLine {
  private readonly server: Server
  private readonly sockets = new Set<Socket>()
  private readonly pairs = new Map<Socket, Socket>()
  private isCut = false

  private constructor(port: number) {
    this.server = createServer((socket) => this.accept(socket, port))
  }

  static async to(port: number): Promise<SeverableLine> {
    const line = new SeverableLine(port)
    await new Promise<void>((resolve) => line.server.listen(0, '127.0.0.1', resolve))
    return line
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port
  }

  cut(): void {
    this.isCut = true
    for (const socket of this.sockets) socket.resetAndDestroy()
  }

  mend(): void {
    this.isCut = false
  }

  /** Nothing passes any more, and nobody is told. */
  fallSilent(): void {
    for (const socket of this.sockets) socket.unpipe().pause()
  }

  /** Lets pass again what was held up by `fallSilent`. */
  speak(): void {
    for (const [near, far] of this.pairs) {
      near.pipe(far)
      far.pipe(near)
    }
  }

  async close(): Promise<void> {
    this.cut()
    await new Promise((resolve) => this.server.close(resolve))
  }

  private accept(near: Socket, port: number): void {
    if (this.isCut) {
      near.resetAndDestroy()
      return
    }
    const far = connect(port, '127.0.0.1')
    this.pairs.set(near, far)
    near.on('close', () => this.pairs.delete(near))
    for (const [socket, other] of [
      [near, far],
      [far, near]
    ] as const) {
      this.sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => {
        this.sockets.delete(socket)
        other.destroy()
      })
      socket.pipe(other)
    }
  }
}
