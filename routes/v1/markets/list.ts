import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { Type } from 'typebox'
import { PAGE_SIZE_DEFAULT } from '../../../schemas/list.ts'
import type { MarketPage } from '../../../schemas/market.ts'
import { ETAG_HEADER, errorResponses, ifNoneMatch, notModified } from '../../../schemas/responses.ts'
import { getAggregate } from '../../../services/snapshots/aggregate.ts'
import { FRAGMENT_DEPTH } from '../../../services/snapshots/fragments.ts'
import { MarketPages, type PageBytes } from '../../../services/snapshots/pages.ts'
import { preferredEncoding } from '../../accept-encoding.ts'
import { answerUnchanged } from '../../conditional.ts'
import { JSON_TYPE, sendBytes } from '../../send-bytes.ts'
import { filterOf, listQuery } from './query.ts'

/** Pages of markets: the hot path. At the usual depth a page is bytes that no serializer touches. */
const list: FastifyPluginAsyncTypebox = async (app) => {
  const { snapshotStore, config } = app
  const pages = new MarketPages(snapshotStore)

  app.get(
    '/markets',
    {
      // For the pages that are not hot; a hot one has its coding set already and passes.
      compress: {},
      schema: {
        operationId: 'listMarkets',
        summary: 'Markets with their order books, by page',
        description:
          'Prices are dollars per contract, sizes are contracts, both as exact decimal text; the book is in YES ' +
          'terms. The same URL with If-None-Match costs next to nothing while nothing on the page has changed.',
        tags: ['markets'],
        headers: ifNoneMatch,
        querystring: listQuery(config.MAX_BOOK_DEPTH),
        response: {
          200: Type.Unsafe<MarketPage>(Type.Ref('MarketPage', ETAG_HEADER)),
          304: notModified,
          ...errorResponses(400, 503)
        }
      }
    },
    (request, reply) => {
      const { query } = request
      const { page = 1, pageSize = PAGE_SIZE_DEFAULT, depth = FRAGMENT_DEPTH } = query
      const view = pages.view(filterOf(query), page, pageSize, depth)
      if (answerUnchanged(request, reply, view.stamp)) return
      if (depth === FRAGMENT_DEPTH) {
        if (preferredEncoding(request.headers['accept-encoding']) === 'gzip') {
          const gzipped = pages.gzip(view, request.url)
          if (gzipped instanceof Promise) return gzipped.then((bytes) => sendGzip(reply, bytes))
          if (gzipped !== null) return sendGzip(reply, gzipped)
        } else {
          const body = pages.json(view, request.url)
          if (body !== null) return sendLent(reply, body, pages)
        }
      }
      const items = view.records.map((record) => getAggregate(snapshotStore, record, depth))
      return { page, pageSize, total: view.total, items }
    }
  )
}

function sendGzip(reply: FastifyReply, bytes: Buffer): void {
  reply.header('content-encoding', 'gzip')
  sendBytes(reply, JSON_TYPE, bytes)
}

/** Sends a page and gives its buffer back once the kernel has it; a client that goes early costs the buffer. */
function sendLent(reply: FastifyReply, body: PageBytes, pages: MarketPages): void {
  if (body.lent !== null) reply.raw.once('finish', () => pages.giveBack(body))
  sendBytes(reply, JSON_TYPE, body.bytes)
}

export default list
