import { randomBytes } from 'node:crypto'
import { fastifySSE } from '@fastify/sse'
import websocket from '@fastify/websocket'
import fp from 'fastify-plugin'
import { Compile } from 'typebox/compile'
import { COMPONENT_SCHEMAS } from '../schemas/components.ts'
import { STREAM_SCHEMAS } from '../schemas/stream.ts'
import {
  DEPTH_DEFAULT,
  PingSchema,
  STREAM_CHANNELS,
  SubscribeSchema,
  UnsubscribeSchema
} from '../schemas/stream-commands.ts'
import { type CommandReader, commandReader } from '../services/stream/command-reader.ts'
import { StreamHub } from '../services/stream/hub.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Everyone who streams, and what they asked for. */
    streamHub: StreamHub
  }
}

/** A `subscribe` that names as many markets as it may fits. */
const MESSAGE_BYTES_MAX = 128 << 10
const DEPTH_INTERVAL_MS = 1_000
const HEALTH_INTERVAL_MS = 5_000
const RUN_BYTES = 6

export default fp(
  async (app) => {
    const { config } = app
    const hub = new StreamHub({
      store: app.snapshotStore,
      trades: app.tradeBus,
      getHealth: () => app.getHealth(),
      readCommand: readerOfSchemas(),
      mayLack: (id) =>
        app.replication?.isReady === false ||
        app.venueFeeds.some((feed) => id.startsWith(`${feed.venue}:`) && feed.followed() === null),
      run: randomBytes(RUN_BYTES).toString('hex'),
      clientsMax: config.STREAM_CLIENTS_MAX,
      topicsMax: config.STREAM_TOPICS_MAX,
      lingerMs: config.STREAM_RESUME_MS,
      rings: { messages: config.STREAM_RING_MESSAGES, bytes: config.STREAM_RING_MB * 2 ** 20 },
      limits: {
        subscriptions: config.STREAM_SUBSCRIPTIONS_MAX,
        bufferBytes: config.STREAM_CLIENT_BUFFER_MAX,
        stallTimeoutMs: config.STREAM_STALL_TIMEOUT_MS,
        idleTimeoutMs: config.STREAM_IDLE_TIMEOUT_MS,
        keepAliveMs: config.STREAM_KEEP_ALIVE_MS
      },
      defaults: {
        depth: DEPTH_DEFAULT,
        depthIntervalMs: DEPTH_INTERVAL_MS,
        healthIntervalMs: HEALTH_INTERVAL_MS,
        tickerIntervalMs: config.STREAM_TICKER_INTERVAL_MS
      },
      log: app.log.child({ part: 'stream' })
    })
    app.decorate('streamHub', hub)

    await app.register(websocket, {
      options: { maxPayload: MESSAGE_BYTES_MAX, perMessageDeflate: false, clientTracking: false },
      errorHandler: (error, socket, request) => {
        request.log.debug({ err: error }, 'a stream ended with an error')
        socket.terminate()
      },
      // Clients take their leave with the other connections, below.
      preClose: (done) => done()
    })
    // The heartbeat is the hub's.
    await app.register(fastifySSE, { heartbeatInterval: 0 })

    // Before anybody can connect; it dials nothing.
    app.addHook('onReady', async () => hub.start())
    app.clientConnections.whenClosing(() => hub.stop())
  },
  {
    name: 'stream',
    dependencies: [
      'config',
      'client-connections',
      'snapshot-store',
      'venue-feeds',
      'trade-bus',
      'replication'
    ]
  }
)

/** Returns a reader that checks commands against their schemas. */
function readerOfSchemas(): CommandReader {
  const named = Object.fromEntries(
    [...COMPONENT_SCHEMAS, ...STREAM_SCHEMAS].map((schema) => [schema.$id, schema])
  )
  const validators = {
    subscribe: Compile(named, SubscribeSchema),
    unsubscribe: Compile(named, UnsubscribeSchema),
    ping: Compile(named, PingSchema)
  }
  return commandReader({
    channels: STREAM_CHANNELS,
    check: (op, value) => {
      const validator = validators[op]
      if (validator.Check(value)) return null
      const [error] = validator.Errors(value)
      const message = error?.keyword === 'boolean' ? 'is not known here' : error?.message
      return { path: pathOf(error?.instancePath), message: message ?? 'it is malformed' }
    }
  })
}

function pathOf(pointer = ''): string {
  return pointer === '' ? '' : `${pointer.slice(1).replaceAll('/', '.')} `
}
