import cors from '@fastify/cors'
import helmet, { type FastifyHelmetOptions } from '@fastify/helmet'
import Fastify from 'fastify'
import fp from 'fastify-plugin'
import { listOf } from '../services/settings.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Headers of every answer that is data, as name, value, name, value: for an answer that is written past Fastify's reply. */
    fixedHeaders: readonly string[]
  }
}

/** Of what a browser renders. */
const DOCUMENT: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    directives: {
      // Swagger UI writes inline styles and data images; its scripts are files of ours.
      'style-src': ["'self'", "'unsafe-inline'"],
      'img-src': ["'self'", 'data:'],
      // The gateway speaks plain HTTP: a browser that upgrades would find nothing.
      'upgrade-insecure-requests': null
    }
  },
  // Whoever ends TLS in front of the gateway decides on this one.
  strictTransportSecurity: false
}

/** Of data: it may not be rendered, framed, or taken for anything but what its type says. The rest is for documents. */
const DATA: FastifyHelmetOptions = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] }
  },
  strictTransportSecurity: false,
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  referrerPolicy: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xFrameOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false
}

export default fp(
  async (app) => {
    const [data, document] = await Promise.all([helmetHeaders(DATA), helmetHeaders(DOCUMENT)])
    app.decorate('fixedHeaders', Object.entries(data).flat())
    app.addHook('onRequest', (_request, reply, done) => {
      reply.headers(data)
      done()
    })
    app.addHook('onSend', (_request, reply, payload, done) => {
      if (String(reply.getHeader('content-type')).startsWith('text/html')) reply.headers(document)
      done(null, payload)
    })
    const origin = listOf(app.config.CORS_ORIGINS)
    if (origin.length > 0) {
      await app.register(cors, { origin, methods: ['GET', 'HEAD'], exposedHeaders: ['ETag', 'Retry-After'] })
    }
  },
  { name: 'security', dependencies: ['config'] }
)

/** Returns helmet's headers. They are the same for every answer, but helmet would put them together for each. */
async function helmetHeaders(options: FastifyHelmetOptions): Promise<Record<string, string>> {
  const probe = Fastify()
  await probe.register(helmet, options)
  probe.get('/with', async () => '')
  probe.get('/without', { helmet: false }, async () => '')
  const [dressed, bare] = [await probe.inject('/with'), await probe.inject('/without')]
  await probe.close()
  const added = Object.entries(dressed.headers).filter(([name]) => !(name in bare.headers))
  return Object.fromEntries(added.map(([name, value]) => [name, String(value)]))
}
