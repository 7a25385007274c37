import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { Readable } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import * as ws from 'ws'
import { FrameTap, type TappedSocket } from '../../../services/venue/frame-tap.ts'

const HEADERS = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n'
const MAX_BYTES = 70_000

const FIN = 0x80
const [CONTINUATION, TEXT, BINARY, CLOSE, PING] = [0, 1, 2, 8, 9]

/** One frame as a server writes it. */
function frame(first: number, payload: string | Buffer, mask = false): Buffer {
  const body = Buffer.from(payload as string)
  const header = Buffer.alloc(10)
  header[0] = first
  let length = 2
  if (body.length < 126) header[1] = body.length
  else if (body.length < 65_536) {
    header[1] = 126
    header.writeUInt16BE(body.length, 2)
    length = 4
  } else {
    header[1] = 127
    header.writeBigUInt64BE(BigInt(body.length), 2)
    length = 10
  }
  if (mask) header[1] |= 0x80
  return Buffer.concat([header.subarray(0, length), mask ? Buffer.alloc(4) : Buffer.alloc(0), body])
}

const text = (payload: string) => frame(FIN | TEXT, payload)

/**
 * A socket with a tap, read by the library's own receiver from the end of the headers on, as `ws` does. `messages`
 * are all that came, in order, whoever took them.
 */
function tapped(isOpen = true) {
  const messages: string[] = []
  const errors: string[] = []
  let taken = 0
  let reads = 0
  // The stream reads nothing by itself: the tap pushes.
  const stream = new Readable({ read() {} })
  const tap = new FrameTap({
    maxFrameBytes: MAX_BYTES,
    onRead: () => reads++,
    onFrame: (payload) => {
      taken++
      messages.push(payload.toString())
    }
  })
  tap.attach(stream as unknown as TappedSocket)
  const receiver = library(messages, errors)
  let headers = Buffer.alloc(0)
  stream.on('data', (chunk: Buffer) => {
    if (headers.length === HEADERS.length) receiver.write(chunk)
    else {
      const wanted = HEADERS.length - headers.length
      headers = Buffer.concat([headers, chunk.subarray(0, wanted)])
      if (chunk.length > wanted) receiver.write(chunk.subarray(wanted))
      if (headers.length === HEADERS.length && isOpen) tap.open()
    }
  })
  return {
    tap,
    stream,
    messages,
    errors,
    push: read(tap),
    taken: () => taken,
    reads: () => reads,
    headers: () => headers.toString()
  }
}

/** Hands bytes to a tap as a socket does: in memory that is written again afterwards. */
function read(tap: FrameTap) {
  return (bytes: Buffer | string) => {
    const memory = Buffer.from(bytes as string)
    tap.read(memory)
    memory.fill(0xff)
  }
}

/** The library's receiver, whose messages and errors are noted; after a close it is given no more, as `ws` does. */
function library(messages: string[], errors: string[]) {
  const { Receiver } = ws as unknown as { Receiver: new (options: object) => NodeJS.WritableStream }
  const receiver = new Receiver({ maxPayload: MAX_BYTES, skipUTF8Validation: true })
  let isOver = false
  receiver.on('message', (data: Buffer) => messages.push(data.toString()))
  receiver.on('error', (error: Error) => errors.push(error.message))
  receiver.on('conclude', () => {
    isOver = true
  })
  return { write: (bytes: Buffer) => isOver || receiver.write(bytes) }
}

/** What the library alone makes of frames. */
function plain(frames: readonly Buffer[]) {
  const messages: string[] = []
  const errors: string[] = []
  const receiver = library(messages, errors)
  for (const one of frames) receiver.write(one)
  return { messages, errors }
}

/** The stream's first event comes in a later turn; from then on each push is read at once. */
async function flowing(stream: Readable): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve))
  if (stream.readableFlowing !== true) throw new Error('nobody reads')
}

t.test('texts are taken, in order, and the library sees the rest', async (t) => {
  const { push, stream, messages, taken, headers, reads } = tapped()
  await flowing(stream)
  push(HEADERS)
  t.equal(headers(), HEADERS)
  push(Buffer.concat([text('one'), frame(FIN | PING, 'hey'), text('two'), text('x'.repeat(300))]))
  t.same(messages, ['one', 'two', 'x'.repeat(300)])
  t.equal(taken(), 3)
  t.equal(reads(), 2)
})

t.test('frames that come right behind the answer are the library’s, for it is not open yet', async (t) => {
  const { push, stream, messages, taken } = tapped()
  await flowing(stream)
  const second = text('second')
  push(Buffer.concat([Buffer.from(HEADERS), text('first'), second.subarray(0, 4)]))
  push(Buffer.concat([second.subarray(4), text('third')]))
  t.same(messages, ['first', 'second', 'third'])
  t.equal(taken(), 1)
})

for (const [what, answer] of [
  ['another answer than 101', 'HTTP/1.1 401 Unauthorized\r\n\r\n'],
  ['headers without an end', `HTTP/1.1 101 Switching Protocols\r\nx: ${'y'.repeat(70_000)}`]
] as const)
  t.test(`after ${what} all bytes go on as they are`, async (t) => {
    const bytes: Buffer[] = []
    const stream = new Readable({ read() {} })
    const tap = new FrameTap({
      maxFrameBytes: MAX_BYTES,
      onRead: () => {},
      onFrame: () => t.fail('nothing is to be taken')
    })
    tap.attach(stream as unknown as TappedSocket)
    tap.open()
    stream.on('data', (chunk: Buffer) => bytes.push(chunk))
    await flowing(stream)
    const sent = [Buffer.from(answer), text('no frame but a body')]
    for (const chunk of sent) read(tap)(chunk)
    t.same(Buffer.concat(bytes), Buffer.concat(sent))
  })

t.test('a frame does not overtake one that the library has not read yet', async (t) => {
  const { push, stream, messages, taken } = tapped()
  await flowing(stream)
  push(HEADERS)
  stream.pause()
  push(Buffer.concat([frame(TEXT, 'in '), frame(FIN | CONTINUATION, 'pieces')]))
  push(text('whole'))
  stream.resume()
  push(text('before it is read'))
  t.equal(taken(), 0)
  await flowing(stream)
  t.same(messages, ['in pieces', 'whole', 'before it is read'])
  push(text('later'))
  t.equal(taken(), 1)
})

t.test('what is wrong is the library’s to refuse, and ends the tap', async (t) => {
  for (const wrong of [
    frame(FIN | 0x40 | TEXT, 'compressed'),
    frame(FIN | TEXT, 'masked', true),
    text('x'.repeat(MAX_BYTES + 1)),
    frame(FIN | 3, 'reserved'),
    Buffer.concat([frame(TEXT, 'a piece'), text('in between')])
  ]) {
    const { push, stream, errors, messages } = tapped()
    await flowing(stream)
    push(HEADERS)
    push(Buffer.concat([text('before'), wrong, text('after')]))
    await new Promise((resolve) => setImmediate(resolve))
    t.equal(errors.length, 1)
    t.equal(messages[0], 'before')
  }
})

t.test('any frames, cut anywhere, give the messages that the library alone gives', async () => {
  const payload = fc.oneof(
    { weight: 6, arbitrary: fc.string({ maxLength: 40 }) },
    { weight: 1, arbitrary: fc.integer({ min: 120, max: 400 }).map((length) => 'm'.repeat(length)) },
    { weight: 1, arbitrary: fc.integer({ min: 65_530, max: 65_540 }).map((length) => 'l'.repeat(length)) }
  )
  // Together no longer than is allowed.
  const piece = fc.string({ maxLength: 40 })
  const frames = fc.oneof(
    { weight: 8, arbitrary: payload.map((one) => [text(one)]) },
    { weight: 1, arbitrary: payload.map((one) => [frame(FIN | BINARY, one)]) },
    { weight: 1, arbitrary: fc.string({ maxLength: 20 }).map((one) => [frame(FIN | PING, one)]) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(payload, piece, piece)
        .map(([one, two, three]) => [
          frame(TEXT, one),
          frame(CONTINUATION, two),
          frame(FIN | PING, 'between'),
          frame(FIN | CONTINUATION, three)
        ])
    }
  )
  await fc.assert(
    fc.asyncProperty(
      fc.array(frames, { maxLength: 30 }),
      fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 25 }),
      fc.boolean(),
      async (groups, cuts, closes) => {
        const all = groups.flat()
        if (closes) all.push(frame(FIN | CLOSE, Buffer.from([0x03, 0xe8])), text('after the end'))
        const bytes = Buffer.concat([Buffer.from(HEADERS), ...all])
        const places = [...new Set(cuts.map((cut) => Math.floor(cut * bytes.length)))].sort((a, b) => a - b)
        const { push, stream, messages, errors } = tapped()
        await flowing(stream)
        let from = 0
        for (const to of [...places, bytes.length]) {
          if (to > from) push(bytes.subarray(from, to))
          from = to
        }
        await new Promise((resolve) => setImmediate(resolve))
        const expected = plain(all)
        return (
          JSON.stringify(messages) === JSON.stringify(expected.messages) &&
          JSON.stringify(errors) === JSON.stringify(expected.errors)
        )
      }
    ),
    { numRuns: 400 }
  )
})

t.test('frames are taken off an encrypted connection too', async (t) => {
  const folder = t.testdir()
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1']
  const made = spawnSync('openssl', [
    ...['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject],
    ...['-keyout', `${folder}/key.pem`, '-out', `${folder}/cert.pem`]
  ])
  if (made.status !== 0) return t.comment('there is no openssl here to make a certificate: left out')
  const cert = readFileSync(`${folder}/cert.pem`)
  const server = createServer({ key: readFileSync(`${folder}/key.pem`), cert })
  const sockets = new ws.WebSocketServer({ server })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const sent = Array.from({ length: 500 }, (_, i) => `${i} ${'x'.repeat(i * 10)}`)
  sockets.on('connection', (peer) => {
    peer.on('message', () => {
      for (const [i, message] of sent.entries()) {
        if (i % 50 === 0) peer.ping()
        peer.send(message)
      }
    })
  })
  const messages: string[] = []
  let taken = 0
  const tap = new FrameTap({
    maxFrameBytes: MAX_BYTES,
    onRead: () => {},
    onFrame: (payload) => {
      taken++
      messages.push(payload.toString())
    }
  })
  const url = `wss://127.0.0.1:${(server.address() as AddressInfo).port}`
  const client = new ws.WebSocket(url, { ca: cert, createConnection: tap.connector(url) })
  t.teardown(() => {
    client.terminate()
    sockets.close()
    server.close()
  })
  client.on('message', (data) => messages.push(data.toString()))
  await once(client, 'open')
  tap.open()
  client.send('go')
  while (messages.length < sent.length) await new Promise((resolve) => setImmediate(resolve))
  t.same(messages, sent)
  t.equal(taken, sent.length)
})
