import Fastify from 'fastify'
import t from 'tap'
import { lazyCompilers } from '../../plugins/lazy-compilers.ts'

t.test('a schema is compiled when it is first needed, and once', async (t) => {
  let reads = 0
  const answer = {
    type: 'object',
    get properties() {
      reads++
      return { a: { type: 'string' } }
    }
  }
  const serializer = lazyCompilers().buildSerializer({})({
    schema: answer,
    method: 'GET',
    url: '/',
    httpStatus: '200'
  })
  t.equal(reads, 0)
  t.equal(serializer({ a: 'x', b: 'y' }), '{"a":"x"}')
  const readsOnce = reads
  t.ok(readsOnce > 0)
  serializer({ a: 'z' })
  t.equal(reads, readsOnce)
})

t.test('what a question lacks is told as by the compilers that do not wait', async (t) => {
  const answers = await Promise.all(
    [{}, { schemaController: { compilersFactory: lazyCompilers() } }].map(async (options) => {
      const app = Fastify(options)
      t.teardown(() => app.close())
      const querystring = { type: 'object', properties: { page: { type: 'integer', minimum: 1 } } }
      app.get('/', { schema: { querystring } }, async ({ query }) => query)
      const urls = ['/?page=0', '/?page=x', '/?page=2']
      return Promise.all(urls.map(async (url) => (await app.inject(url)).body))
    })
  )
  const [now, lazy] = answers
  t.strictSame(lazy, now)
  t.match(lazy?.[0], /page must be >= 1/)
  t.equal(lazy?.[2], '{"page":2}')
})
