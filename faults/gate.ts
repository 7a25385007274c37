import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'

/** A way to a real server that can be shut, as if the server were gone, and opened again. */
export class Gate {
  /** The server's URL by this way. */
  readonly url: string
  private readonly server: Server
  private readonly sockets: Set<Socket>
  private readonly way: { isOpen: boolean }

  private constructor(url: string, server: Server, sockets: Set<Socket>, way: { isOpen: boolean }) {
    this.url = url
    this.server = server
    this.sockets = sockets
    this.way = way
  }

  /** Returns an open way to the server of a URL, which names its port. */
  static async to(serverUrl: string): Promise<Gate> {
    const target = new URL(serverUrl)
    const sockets = new Set<Socket>()
    const way = { isOpen: true }
    const server = createServer((client) => {
      if (!way.isOpen) {
        client.destroy()
        return
      }
      const upstream = connect(Number(target.port), target.hostname)
      for (const socket of [client, upstream]) {
        sockets.add(socket)
        socket
          .on('error', () => {})
          .on('close', () => {
            sockets.delete(socket)
            client.destroy()
            upstream.destroy()
          })
      }
      client.pipe(upstream).pipe(client)
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const url = new URL(serverUrl)
    url.hostname = '127.0.0.1'
    url.port = String((server.address() as AddressInfo).port)
    return new Gate(url.href, server, sockets, way)
  }

  shut(): void {
    this.way.isOpen = false
    for (const socket of this.sockets) socket.destroy()
  }

  reopen(): void {
    this.way.isOpen = true
  }

  close(): void {
    this.shut()
    this.server.close()
  }
}
