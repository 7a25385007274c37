import './services/full-collections.ts'
import './services/tick-shape.ts'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyInstance, type FastifyServerOptions } from 'fastify'
import asyncapi from './plugins/asyncapi.ts'
import clientConnections from './plugins/client-connections.ts'
import compression from './plugins/compression.ts'
import config from './plugins/config.ts'
import errorHandler, { answerUnreadable, replyWithError } from './plugins/error-handler.ts'
import healthMonitor from './plugins/health-monitor.ts'
import history from './plugins/history.ts'
import incidents from './plugins/incidents.ts'
import kalshiFeed from './plugins/kalshi-feed.ts'
import { lazyCompilers } from './plugins/lazy-compilers.ts'
import metrics from './plugins/metrics.ts'
import openapi from './plugins/openapi.ts'
import operatorWarnings from './plugins/operator-warnings.ts'
import polymarketFeed from './plugins/polymarket-feed.ts'
import recycler from './plugins/recycler.ts'
import replication from './plugins/replication.ts'
import responseValidation from './plugins/response-validation.ts'
import security from './plugins/security.ts'
import snapshotStore from './plugins/snapshot-store.ts'
import stream from './plugins/stream.ts'
import tradeBus from './plugins/trade-bus.ts'
import venueFeeds from './plugins/venue-feeds.ts'
import streamDocs from './routes/docs/stream/index.ts'
import hotPages from './routes/hot-pages.ts'
import metricsRoute from './routes/metrics/index.ts'
import v1 from './routes/v1/index.ts'
import type { Config } from './schemas/config.ts'
import type { StateBytes } from './services/history/warm-file.ts'

export interface AppOptions {
  config: Config
  /** Defaults to a logger at the configured level. */
  logger?: FastifyServerOptions['logger']
  /** Where the last state is being read already, by who starts early. */
  lastState?: Promise<StateBytes> | undefined
  /** `none` leaves the venues out, for tests and for the specification. */
  feeds?: 'configured' | 'none'
}

/** Nothing here takes a body; what a client sends all the same is read no further than this. */
const BODY_LIMIT_BYTES = 16 << 10
/** Longer than any venue's id, with its percent escapes. */
const PARAMETER_LENGTH_MAX = 300

/** Returns the whole gateway, ready to listen or to be asked with `inject`; it does not listen itself. */
export async function buildApp(options: AppOptions): Promise<FastifyInstance> {
  const app = Fastify({
    logger: options.logger ?? { level: options.config.LOG_LEVEL },
    bodyLimit: BODY_LIMIT_BYTES,
    // Without it, an open stream keeps `close` waiting for ever.
    forceCloseConnections: true,
    routerOptions: { maxParamLength: PARAMETER_LENGTH_MAX },
    // A URL that cannot be decoded never reaches a route.
    frameworkErrors: replyWithError,
    clientErrorHandler: answerUnreadable,
    schemaController: { compilersFactory: lazyCompilers() },
    // What a query does not know is refused by name, not dropped.
    ajv: { customOptions: { removeAdditional: false } }
  }).withTypeProvider<TypeBoxTypeProvider>()

  try {
    await registerAll(app, options)
  } catch (error) {
    // What was registered before gives back what it holds.
    await app.close()
    throw error
  }
  return app
}

async function registerAll(app: FastifyInstance, options: AppOptions): Promise<void> {
  await app.register(config, { config: options.config })
  await app.register(clientConnections)
  await app.register(security)
  await app.register(errorHandler)
  await app.register(compression)
  await app.register(responseValidation)
  await app.register(openapi)
  await app.register(asyncapi)
  await app.register(snapshotStore)
  await app.register(hotPages)
  await app.register(venueFeeds)
  await app.register(incidents)
  if (options.feeds !== 'none') await app.register(history, { lastState: options.lastState })
  await app.register(tradeBus)
  await app.register(replication)
  await app.register(stream)
  if (options.feeds !== 'none') {
    await app.register(kalshiFeed)
    await app.register(polymarketFeed)
  }
  await app.register(recycler)
  await app.register(operatorWarnings)
  await app.register(healthMonitor)
  await app.register(metrics)
  await app.register(metricsRoute)
  await app.register(streamDocs)
  await app.register(v1, { prefix: '/v1' })
}
