import { once } from 'node:events'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { build } from '../helper.ts'

/** Sends bytes to a listening gateway; returns the whole answer. */
async function send(t: Test, bytes: string): Promise<{ head: string; body: string }> {
  const app = await build(t)
  await app.listen({ host: '127.0.0.1', port: 0 })
  const { port } = app.addresses()[0] as { port: number }
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  socket.write(bytes)
  let text = ''
  for await (const chunk of socket) text += chunk
  const [head = '', body = ''] = text.split('\r\n\r\n')
  return { head, body }
}

t.test('headers that are too large are answered in the one shape of errors', async (t) => {
  const { head, body } = await send(t, `GET / HTTP/1.1\r\nhost: x\r\nlong: ${'x'.repeat(40_000)}\r\n\r\n`)
  t.match(head, /^HTTP\/1.1 431 /)
  t.match(JSON.parse(body), { statusCode: 431, code: 'HEADERS_TOO_LARGE' })
})

t.test('so is what is no HTTP at all', async (t) => {
  const { head, body } = await send(t, 'nonsense\r\n\r\n')
  t.match(head, /^HTTP\/1.1 400 Bad Request\r\n/)
  t.match(head, new RegExp(`content-length: ${body.length}`))
  t.match(JSON.parse(body), { statusCode: 400, code: 'BAD_REQUEST', error: 'Bad Request' })
})

t.test('a path parameter that is too long, and a body that is, have codes of their own', async (t) => {
  const app = await build(t, { OPERATOR_API_KEY: 'k'.repeat(16) })
  const long = await app.inject(`/v1/markets/${'x'.repeat(400)}`)
  t.match(long.json(), { statusCode: 414, code: 'URI_TOO_LONG' })
  const url = '/v1/recycler/runs'
  const authorization = `Bearer ${'k'.repeat(16)}`
  const post = (type: string, payload: string) =>
    app.inject({ method: 'POST', url, payload, headers: { authorization, 'content-type': type } })
  t.match((await post('application/json', `"${'x'.repeat(20_000)}"`)).json(), {
    statusCode: 413,
    code: 'BODY_TOO_LARGE'
  })
  t.match((await post('text/csv', 'a,b')).json(), { statusCode: 415, code: 'UNSUPPORTED_MEDIA_TYPE' })
})
