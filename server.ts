import closeWithGrace from 'close-with-grace'
import type { FastifyInstance } from 'fastify'
import { type AppOptions, buildApp } from './app.ts'
import type { Config } from './schemas/config.ts'
import { ConfigError } from './services/errors.ts'

export interface ServerOptions extends Pick<AppOptions, 'config' | 'lastState'> {
  /** Anything else that ends with the server, such as a simulator; called after the app is closed, if it ever listened. */
  onClose?: () => Promise<void>
}

/** In-flight requests, sockets and timers end within this time, or the process ends without them. */
const CLOSE_TIMEOUT_MS = 10_000
/** Ends of the process that no JavaScript can follow: a handler would only run into the same fault for ever. */
const CRASHES = ['SIGSEGV', 'SIGBUS', 'SIGILL', 'SIGFPE', 'SIGTRAP', 'SIGABRT'] as const

/**
 * Builds the app, listens, and closes with grace on SIGTERM and SIGINT.
 *
 * @throws {ConfigError} when the address cannot be listened on
 */
export async function startServer({ onClose, ...options }: ServerOptions): Promise<FastifyInstance> {
  const app = await buildApp(options)
  await listenWithGrace(app, options.config, onClose)
  return app
}

/**
 * Listens, and closes with grace on SIGTERM and SIGINT: the app first, then whatever else ends with it. Returns what
 * ends that watch, for who closes the app otherwise.
 */
export async function listenWithGrace(
  app: FastifyInstance,
  config: Config,
  onClose?: () => Promise<void>
): Promise<() => void> {
  const grace = closeWithGrace(
    { delay: CLOSE_TIMEOUT_MS, logger: false, skip: [...CRASHES] },
    async ({ signal, err }) => {
      if (err) app.log.fatal({ err }, 'unexpected error: closing')
      else app.log.info({ signal }, 'closing')
      await app.close()
      await onClose?.()
    }
  )
  try {
    await app.listen({ host: config.HOST, port: config.PORT })
    return () => grace.uninstall()
  } catch (error) {
    grace.uninstall()
    await app.close()
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EADDRINUSE')
      throw new ConfigError(`PORT ${config.PORT} is in use on ${config.HOST}: set PORT to a free one`)
    if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
      throw new ConfigError(
        `HOST ${config.HOST} is no address of this machine: set HOST, for example to 127.0.0.1`
      )
    }
    throw error
  }
}
