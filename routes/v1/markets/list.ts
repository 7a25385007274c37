import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { Type } from 'typebox'
import { PAGE_SIZE_DEFAULT } from '../../../schemas/list.ts'
import type { MarketPage } from '../../../schemas/market.ts'
import { ETAG_HEADER, errorResponses, ifNoneMatch, notModified } from '../../../schemas/responses.ts'
import { getAggregate } from '../../../services/snapshots/aggregate.ts'
import type { AskedPage } from '../../../services/snapshots/asked-page.ts'
import { FRAGMENT_DEPTH } from '../../../services/snapshots/fragments.ts'
import type { PageBytes } from '../../../services/snapshots/kept-bodies.ts'
import type { MarketRecord } from '../../../services/snapshots/market-record.ts'
import type { MarketPages } from '../../../services/snapshots/pages.ts'
import { preferredEncoding } from '../../accept-encoding.ts'
import { answerUnchanged } from '../../conditional.ts'
import { JSON_TYPE, sendBytes } from '../../send-bytes.ts'
import { filterOf, listQuery } from './query.ts'

/** Its name in the specification, and in the counts of checked answers. */
export const LIST_MARKETS = 'listMarkets'

/** Pages of markets: the hot path. At the usual depth a page is bytes that no serializer touches. */
const list: FastifyPluginAsyncTypebox = async (app) => {
  const { snapshotStore, marketPages: pages, config } = app

  app.get(
    '/markets',
    {
      // For the pages that are not hot; a hot one has its coding set already and passes.
      compress: {},
      // A URL that was understood before is understood alike again, so nothing of it is validated or looked up anew.
      onRequest: (request, reply, done) => {
        const asked = pages.known(request.url)
        if (asked?.question.depth !== FRAGMENT_DEPTH) return done()
        if (answerUnchanged(request, reply, asked.stamp) || sendPage(request, reply, asked, pages)) return
        done()
      },
      schema: {
        operationId: LIST_MARKETS,
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
      const asked = pages.ask(request.url, { filter: filterOf(query), page, pageSize, depth })
      if (answerUnchanged(request, reply, asked.stamp) || sendPage(request, reply, asked, pages)) return
      const records = Array.from(asked.slots, (slot) => snapshotStore.at(slot) as MarketRecord)
      const items = records.map((record) => getAggregate(snapshotStore, record, depth))
      return { page, pageSize, total: asked.total, items }
    }
  )
}

/** Sends a page as bytes and returns true, or returns false where it has none. */
function sendPage(
  request: FastifyRequest,
  reply: FastifyReply,
  page: AskedPage,
  pages: MarketPages
): boolean {
  if (page.question.depth !== FRAGMENT_DEPTH) return false
  if (preferredEncoding(request.headers['accept-encoding']) !== 'gzip') {
    const body = pages.json(page)
    if (body !== null) sendLent(reply, body, pages)
    return body !== null
  }
  const gzipped = pages.gzip(page)
  if (gzipped instanceof Promise) {
    gzipped.then(
      (bytes) => sendGzip(reply, bytes),
      (error) => reply.send(error)
    )
  } else if (gzipped !== null) sendGzip(reply, gzipped)
  return gzipped !== null
}

function sendGzip(reply: FastifyReply, bytes: Buffer): void {
  reply.header('content-encoding', 'gzip')
  sendBytes(reply, JSON_TYPE, bytes)
}

/** Sends a page and gives its buffer back once the kernel has it, or the client has gone. */
function sendLent(reply: FastifyReply, body: PageBytes, pages: MarketPages): void {
  // Once: an injected answer says twice that it is finished, and a buffer given back twice serves two pages.
  reply.raw.once('close', () => pages.giveBack(body))
  sendBytes(reply, JSON_TYPE, body.bytes)
}

export default list
