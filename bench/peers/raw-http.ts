import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answer, startOptions } from '../harness/answer.ts'
import { cpuMicros } from '../harness/cpu.ts'

/** The physical limit: node:http that answers everything with the same Buffer. */
const { url } = startOptions<{ url: string }>()
const body = Buffer.from(await (await fetch(url)).arrayBuffer())

const server = createServer((_request, response) => {
  response.writeHead(200, {
    'content-type': 'application/json; charset=utf-8',
    'content-length': body.length
  })
  response.end(body)
})
server.listen(0, '127.0.0.1')
await once(server, 'listening')

answer(({ question }) =>
  question === 'port'
    ? (server.address() as AddressInfo).port
    : { cpuMicros: cpuMicros(), wallMs: performance.now() }
)
