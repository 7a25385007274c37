import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { chromium } from 'playwright-core'
import t, { type Test } from 'tap'
import ts from 'typescript'
import { ChangingGateway } from '../../faults/streams/changing-gateway.ts'
import { SeverableLine } from '../../faults/streams/severable.ts'

const CHROMIUM = process.env.CHROMIUM_PATH ?? '/usr/bin/chromium'
const SOURCES = new URL('../../client/src/', import.meta.url)

/** Serves an empty page and the client's modules as a browser takes them; nothing bundles them. */
async function servePage(t: Test): Promise<string> {
  const compilerOptions = {
    module: ts.ModuleKind.ESNext,
    target: ts.ScriptTarget.ES2023,
    rewriteRelativeImportExtensions: true
  }
  const modules = new Map<string, string>()
  for (const name of readdirSync(SOURCES)) {
    const source = readFileSync(new URL(name, SOURCES), 'utf8')
    const { outputText } = ts.transpileModule(source, { compilerOptions })
    modules.set(`/${name.replace(/ts$/, 'js')}`, outputText)
  }
  const server = createServer(({ url = '/' }, response) => {
    const module = modules.get(url)
    response.setHeader('content-type', module === undefined ? 'text/html' : 'text/javascript')
    response.end(module ?? '<!doctype html><title>books</title><link rel="icon" href="data:,">')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

t.test(
  'a page holds whole, current books with the browser’s own WebSocket, also after a cut',
  { skip: existsSync(CHROMIUM) ? false : `there is no Chromium at ${CHROMIUM}: set CHROMIUM_PATH` },
  async (t) => {
    const origin = await servePage(t)
    const gateway = await ChangingGateway.start(10, { CORS_ORIGINS: origin })
    const line = await SeverableLine.to(gateway.port)
    t.teardown(async () => {
      await line.close()
      await gateway.close()
    })
    const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] })
    t.teardown(() => browser.close())
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('pageerror', (error) => complaints.push(error.message))
    await page.goto(origin)
    await page.evaluate(
      `(async () => {
        const { connect } = await import('/index.js')
        const client = connect('http://127.0.0.1:${line.port}', { retryMinMs: 10, retryMaxMs: 100 })
        const books = {}
        Object.assign(window, { client, books })
        void (async () => {
          for await (const { id, value, isCurrent } of client.books({ venue: 'kalshi' }))
            if (isCurrent) books[id] = value
        })()
      })()`
    )
    const isLevel = async () => {
      const books = (await page.evaluate('window.books')) as Record<string, unknown>
      return gateway.records.every(
        (record) => JSON.stringify(books[record.id]) === JSON.stringify(gateway.bookOf(record))
      )
    }
    while (!(await isLevel()));
    gateway.run(500)
    line.cut()
    const cutAt = gateway.changes
    while (gateway.changes < cutAt + 200) await new Promise((resolve) => setTimeout(resolve, 10))
    line.mend()
    while ((await page.evaluate('window.client.statistics.resumed')) === 0);
    gateway.pause()
    while (!(await isLevel()));
    const statistics = await page.evaluate('window.client.statistics')
    t.match(statistics, { connections: 2, resumed: 1, restarted: 0, duplicates: 0, missing: 0, unknown: 0 })
    t.strictSame(complaints, [])
  }
)
