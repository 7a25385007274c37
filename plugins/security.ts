import cors from '@fastify/cors'
import helmet from '@fastify/helmet'
import fp from 'fastify-plugin'
import { listOf } from '../services/settings.ts'

export default fp(
  async (app) => {
    await app.register(helmet, {
      contentSecurityPolicy: {
        directives: {
          // Swagger UI writes inline styles and data images; its scripts are files of ours.
          'style-src': ["'self'", "'unsafe-inline'"],
          'img-src': ["'self'", 'data:'],
          // The gateway speaks plain HTTP on loopback: a browser that upgrades would find nothing.
          'upgrade-insecure-requests': null
        }
      },
      // Whoever ends TLS in front of the gateway decides on this one.
      strictTransportSecurity: false
    })
    const origin = listOf(app.config.CORS_ORIGINS)
    if (origin.length > 0) {
      await app.register(cors, { origin, methods: ['GET', 'HEAD'], exposedHeaders: ['ETag', 'Retry-After'] })
    }
  },
  { name: 'security', dependencies: ['config'] }
)
