import { once } from 'node:events'
import compression from 'compression'
import express from 'express'

/**
 * Serves pages of markets the obvious way: objects through JSON.stringify, compressed for whoever accepts it.
 *
 * @template Item
 * @param {Item[]} items all markets, in order
 * @param {(item: Item) => unknown} aggregateOf what a market looks like now
 * @returns {Promise<number>} the port that it listens on
 */
export async function listenExpress(items, aggregateOf) {
  const app = express()
  app.use(compression())
  app.get('/v1/markets', (request, response) => {
    const page = Number(request.query.page ?? 1)
    const pageSize = Number(request.query.pageSize ?? 50)
    const from = (page - 1) * pageSize
    const shown = items.slice(from, from + pageSize).map(aggregateOf)
    response.json({ page, pageSize, total: items.length, items: shown })
  })
  app.get('/v1/markets.json', (_request, response) => {
    response.json(items.map(aggregateOf))
  })
  const server = app.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}
