import fp from 'fastify-plugin'
import { Incidents } from '../services/integrity/incidents.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** What went wrong at the venues: the latest in full, all in counts. */
    incidents: Incidents
  }
}

export default fp(
  async (app) => {
    app.decorate(
      'incidents',
      new Incidents({
        onListed: ({ sample: _sample, ...incident }) => app.log.warn({ incident }, 'incident')
      })
    )
  },
  { name: 'incidents' }
)
