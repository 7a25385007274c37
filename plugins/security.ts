import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'
import { listOf } from '../services/settings.ts'

/**
 * Helmet's own policy, made once: helmet would build it anew for each answer, a tenth of what a hot page costs.
 * Swagger UI writes inline styles and data images; its scripts are files of ours. Without
 * upgrade-insecure-requests: the gateway speaks plain HTTP, and a browser that upgrades would find nothing.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'self'",
  "base-uri 'self'",
  "font-src 'self' https: data:",
  "form-action 'self'",
  "frame-ancestors 'self'",
  "img-src 'self' data:",
  "object-src 'none'",
  "script-src 'self'",
  "script-src-attr 'none'",
  "style-src 'self' 'unsafe-inline'"
].join(';')

export default fp(
  async (app) => {
    await app.register(helmet, {
      contentSecurityPolicy: false,
      // Whoever ends TLS in front of the gateway decides on this one.
      strictTransportSecurity: false
    })
    app.addHook('onRequest', (_request, reply, done) => {
      reply.header('content-security-policy', CONTENT_SECURITY_POLICY)
      done()
    })
    const origin = listOf(app.config.CORS_ORIGINS)
    if (origin.length > 0) {
      await app.register(cors, { origin, methods: ['GET', 'HEAD'], exposedHeaders: ['ETag', 'Retry-After'] })
    }
  },
  { name: 'security', dependencies: ['config'] }
)
