import fp from 'fastify-plugin'
import type { Config } from '../schemas/config.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** The environment, validated once and frozen: see `services/settings.ts`. */
    config: Config
  }
}

export default fp<{ config: Config }>(
  async (app, { config }) => {
    app.decorate('config', config)
  },
  { name: 'config' }
)
