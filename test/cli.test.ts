import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { ReplayResult } from '../cli/replay.ts'
import { PROGRAM } from '../faults/program.ts'
import { ConfigSchema } from '../schemas/config.ts'
import type { Health } from '../schemas/health.ts'
import { listOf, readSettings } from '../services/settings.ts'

const root = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '')

interface Ended {
  code: number | null
  stdout: string
  stderr: string
}

function crossbook(args: string[], environment: Record<string, string> = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [PROGRAM, ...args],
      {
        env: { PATH: process.env.PATH ?? '', ...environment },
        maxBuffer: 64 * 1024 * 1024,
        timeout: 180_000
      },
      (_error, stdout, stderr) => resolve({ code: child.exitCode, stdout, stderr })
    )
  })
}

/** Resolves with everything printed so far, once that matches. */
function printed(child: ChildProcess, pattern: RegExp): Promise<string> {
  let text = ''
  child.stdout?.setEncoding('utf8')
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', (chunk) => {
      text += chunk
      if (pattern.test(text)) resolve(text)
    })
    child.once('exit', () => reject(new Error(`ended without printing ${pattern}: ${text}`)))
  })
}

async function takenPort(t: Test): Promise<{ port: number }> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return server.address() as { port: number }
}

function recording(t: Test, lines: unknown[]): string {
  const file = join(t.testdir(), 'frames.jsonl')
  writeFileSync(
    file,
    lines.map((line) => (typeof line === 'string' ? line : JSON.stringify(line))).join('\n')
  )
  return file
}

t.test('settings have defaults, are frozen, and empty ones count as not set', async (t) => {
  const config = readSettings({ PORT: ' 0 ', LOG_LEVEL: '', KALSHI_SERIES: 'KXA, KXB,' })
  t.match(config, { HOST: '127.0.0.1', PORT: 0, LOG_LEVEL: 'info', RECYCLER_INTERVAL_HOURS: 12 })
  t.match(config, {
    KALSHI_POLL_INTERVAL_MS: 5_000,
    MAX_MARKETS_PER_VENUE: 500,
    VALIDATE_RESPONSES: 'sample'
  })
  t.strictSame(listOf(config.KALSHI_SERIES), ['KXA', 'KXB'])
  t.ok(Object.isFrozen(config))
})

t.test('a malformed setting ends the start with one sentence that names it, and exit code 1', async (t) => {
  const cases: [Record<string, string>, RegExp][] = [
    [{ PORT: 'x' }, /^crossbook: PORT must be a whole number from 0 to 65535, but is "x"$/],
    [{ PORT: '70000' }, /^crossbook: PORT must be [^\n]*, but is "70000"$/],
    [
      { KALSHI_WS_URL: 'https://x' },
      /^crossbook: KALSHI_WS_URL must be a URL that begins with ws:\/\/ or wss:\/\/, but is "https:\/\/x"$/
    ],
    [
      { VENUES: 'kalshi,nyse' },
      /^crossbook: VENUES must be a comma-separated list [^\n]*, but is "kalshi,nyse"$/
    ],
    [
      { REDISCOVERY_INTERVAL_MS: '2147483648' },
      /^crossbook: REDISCOVERY_INTERVAL_MS must be a whole number from 1000 to 2147483647, [^\n]*$/
    ],
    [{ SILENT_AFTER_MS: '500' }, /^crossbook: SILENT_AFTER_MS must be a whole number from 3000 to [^\n]*$/],
    [
      { RECYCLER_INTERVAL_HOURS: '0' },
      /^crossbook: RECYCLER_INTERVAL_HOURS must be a number above 0 and up to 500, but is "0"$/
    ],
    [{ LOG_LEVEL: 'loud' }, /^crossbook: LOG_LEVEL must be one of fatal, [^\n]*, silent, but is "loud"$/],
    [
      { DATABASE_URL: 'mysql://user:s3cret@host/name' },
      /^crossbook: DATABASE_URL must be a URL such as [^\n]*$/
    ],
    [
      { KALSHI_API_KEY: 'id' },
      /^crossbook: KALSHI_API_SECRET is missing although KALSHI_API_KEY is set: .*$/
    ],
    [{ KALSHI_API_KEY: 'id', KALSHI_API_SECRET: 's3cret' }, /^crossbook: KALSHI_API_SECRET [^\n]*$/],
    [
      { KALSHI_HTTP_BASE: 'http://' },
      /^crossbook: KALSHI_HTTP_BASE must be a URL with a host, such as https:[^\n]*, but is "http:\/\/"$/
    ],
    [{ POLYMARKET_WS_URL: 'ws://' }, /^crossbook: POLYMARKET_WS_URL must be a URL with a host, [^\n]*$/],
    [
      { CORS_ORIGINS: 'https://a.example,foo' },
      /^crossbook: CORS_ORIGINS must list origins [^\n]* but holds "foo"$/
    ],
    [{ CORS_ORIGINS: '*' }, /^crossbook: CORS_ORIGINS [^\n]* but holds "\*"$/],
    [{ CORS_ORIGINS: 'https://a.example/' }, /^crossbook: CORS_ORIGINS [^\n]*$/],
    [
      { STREAM_KEEP_ALIVE_MS: '5000', STREAM_IDLE_TIMEOUT_MS: '5000' },
      /^crossbook: STREAM_KEEP_ALIVE_MS 5000 must be below STREAM_IDLE_TIMEOUT_MS, which is 5000$/
    ],
    [{ VENUES: 'kalshi,kalshi' }, /^crossbook: VENUES must name each venue once, but names kalshi twice$/],
    [{ OPERATOR_API_KEY: 's3cret' }, /^crossbook: OPERATOR_API_KEY [^\n]*$/],
    [{ HOST: '203.0.113.1' }, /^crossbook: HOST 203.0.113.1 is no address of this machine: [^\n]*$/]
  ]
  const ended = await Promise.all(
    cases.map(([environment]) =>
      crossbook(['serve'], { PORT: '0', HISTORY: 'off', LOG_LEVEL: 'silent', ...environment })
    )
  )
  for (const [index, [environment, sentence]] of cases.entries()) {
    const { code, stderr } = ended[index] as Ended
    t.equal(code, 1, JSON.stringify(environment))
    t.match(stderr.trim(), sentence)
    t.notMatch(stderr, /s3cret/)
  }
})

t.test('what a setting must be is said in words, whichever it is', async (t) => {
  for (const [name, schema] of Object.entries(ConfigSchema.properties)) {
    if ('type' in schema && schema.type === 'string' && !('pattern' in schema) && !('enum' in schema))
      continue
    const holdsSecret = /_KEY$|^(DATABASE|REDIS)_URL$/.test(name)
    const value = holdsSecret ? '' : ', but is "s3cret!"'
    t.throws(() => readSettings({ [name]: 's3cret!' }), {
      code: 'CONFIG_INVALID',
      message: new RegExp(`^${name} must be (?!.*undefined)(a|one|at least|1 to) [^"\\\\^]+${value}$`)
    })
  }
})

t.test('venues may be listed with spaces, and origins in any number', async (t) => {
  const { VENUES, CORS_ORIGINS } = readSettings({
    VENUES: ' polymarket , kalshi ',
    CORS_ORIGINS: 'https://a.example, http://localhost:5173'
  })
  t.equal(VENUES, 'polymarket,kalshi')
  t.strictSame(listOf(CORS_ORIGINS), ['https://a.example', 'http://localhost:5173'])
})

t.test('a DATA_DIR that cannot be recorded in ends the start with one sentence', async (t) => {
  const folder = t.testdir({
    file: '',
    journals: { journal: '' },
    books: { journal: { books: '' } },
    rows: { database: '' }
  })
  const cases: [dataDir: string, at: string][] = [
    [join(folder, 'file'), 'file is no folder'],
    [join(folder, 'file', 'in'), 'file/in is no folder'],
    [join(folder, 'journals'), 'journal is no folder'],
    [join(folder, 'books'), 'books is no folder'],
    [join(folder, 'rows'), 'database is no folder']
  ]
  // There nothing can be made, and Node's own way to make folders does not return.
  if (existsSync('/proc/self')) cases.push(['/proc/none/of', 'ENOENT at /proc/none'])
  const settings = { PORT: '0', LOG_LEVEL: 'info' }
  const ended = await Promise.all(
    cases.map(([dataDir]) => crossbook(['serve'], { ...settings, DATA_DIR: dataDir }))
  )
  const demo = await crossbook(['demo', '--markets', '2', '--keep', join(folder, 'file')], settings)
  for (const [index, { code, stdout, stderr }] of [...ended, demo].entries()) {
    const [dataDir, at] = cases[index % ended.length] as [string, string]
    t.equal(code, 1, dataDir)
    const sentence = `^crossbook: DATA_DIR ${dataDir} cannot be written \\([^\\n]*${at}\\): give [^\\n]*$`
    t.match(stderr.trim(), new RegExp(sentence))
    t.equal(stdout, '')
  }
})

t.test('a start that fails ends, says nothing of history, and gives its folder back', async (t) => {
  const { port } = await takenPort(t)
  const folder = t.testdir()
  const cases: [args: string[], settings: Record<string, string>][] = [
    [['serve'], { PORT: String(port) }],
    [['serve'], { PORT: '0', KALSHI_API_KEY: 'id', KALSHI_API_SECRET: 'none' }],
    [['demo', '--markets', '2'], { PORT: String(port) }],
    [['demo', '--markets', '2'], { PORT: 'x' }]
  ]
  const ended = await Promise.all(
    cases.map(([args, settings], index) =>
      crossbook(args, { LOG_LEVEL: 'warn', DATA_DIR: join(folder, `${index}`), ...settings })
    )
  )
  for (const [index, { code, stdout, stderr }] of ended.entries()) {
    t.equal(code, 1, `${cases[index]?.[0]}`)
    t.match(stderr.trim(), /^crossbook: (PORT|KALSHI_API_SECRET) [^\n]*$/)
    t.equal(stdout, '')
    t.notOk(existsSync(join(folder, `${index}`, 'journal', 'database.pid')))
  }
})

t.test('a .env that is no file is one sentence', async (t) => {
  const child = spawn(process.execPath, [PROGRAM, 'serve'], {
    cwd: t.testdir({ '.env': {} }),
    env: { PATH: process.env.PATH ?? '' },
    stdio: ['ignore', 'ignore', 'pipe']
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  t.strictSame(await once(child, 'exit'), [1, null])
  t.equal(stderr.trim(), 'crossbook: .env is no file that can be read: make it one, or move it away')
})

t.test('a taken port is one sentence', async (t) => {
  const { port } = await takenPort(t)
  const { code, stderr } = await crossbook(['serve'], {
    PORT: String(port),
    HISTORY: 'off',
    LOG_LEVEL: 'silent'
  })
  t.equal(code, 1)
  t.equal(stderr.trim(), `crossbook: PORT ${port} is in use on 127.0.0.1: set PORT to a free one`)
})

t.test('npm start builds and serves, with the settings of .env below those of the environment', async (t) => {
  const folder = t.testdir({
    '.env': 'PORT=0\nLOG_LEVEL=silent\nVENUES=polymarket\nPOLYMARKET_GAMMA_BASE=http://127.0.0.1:9\n'
  })
  const ran = (command: string, args: string[], options: object) =>
    spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'inherit'] })
  const build = ran('npm', ['run', 'build'], { cwd: root })
  t.strictSame(await once(build, 'exit'), [0, null])
  const { start } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).scripts as { start: string }
  const [command = '', ...args] = start.replace('dist/', `${root}/dist/`).split(' ')
  const child = ran(command, args, { cwd: folder, env: { PATH: process.env.PATH ?? '', LOG_LEVEL: 'info' } })
  t.teardown(() => child.kill('SIGKILL'))
  const log = await printed(child, /Server listening at \S+"[\s\S]*discovery failed/)
  t.notMatch(log, /listening at http:\/\/127.0.0.1:3000"/, 'PORT comes from .env')
  t.notMatch(log, /"venue":"kalshi"/, 'so does VENUES')
  const [base] = /http:\/\/127\.0\.0\.1:\d+/.exec(log) ?? []
  const health = async () => (await (await fetch(`${base}/v1/healthz`)).json()) as Health
  while ((await health()).history?.engine == null) await sleep(20)
  t.equal((await health()).history?.engine, 'pglite', 'the worker of the database is in the build')
  t.match(await (await fetch(`${base}/docs`)).text(), /swagger-ui/)
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  t.strictSame(await ended, [0, null])
})

t.test('a venue that cannot be reached does not stop the gateway; secrets stay out of the log', async (t) => {
  const { privateKey } = generateKeyPairSync('ed25519')
  const pem = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  const nowhere = '127.0.0.1:9'
  const child = spawn(process.execPath, [PROGRAM, 'serve'], {
    env: {
      PATH: process.env.PATH ?? '',
      PORT: '0',
      LOG_LEVEL: 'trace',
      HISTORY: 'off',
      KALSHI_API_KEY: 'my-key-id',
      KALSHI_API_SECRET: pem.replaceAll('\n', '\\n'),
      KALSHI_HTTP_BASE: `http://${nowhere}`,
      KALSHI_WS_URL: `ws://${nowhere}`,
      POLYMARKET_HTTP_BASE: `http://${nowhere}`,
      POLYMARKET_GAMMA_BASE: `http://${nowhere}`,
      POLYMARKET_WS_URL: `ws://${nowhere}`
    },
    stdio: ['ignore', 'pipe', 'pipe']
  })
  t.teardown(() => child.kill('SIGKILL'))
  const log = await printed(child, /Server listening at \S+"[\s\S]*ECONNREFUSED/)
  const address = /listening at (http:\S+)"/.exec(log)?.[1]
  t.equal((await fetch(`${address}/v1/livez`)).status, 200)
  t.equal((await fetch(`${address}/v1/readyz`)).status, 503)
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  t.strictSame(await ended, [0, null])
  t.notOk(log.includes(pem.split('\n')[1] as string), 'the key is not in the log')
  t.notMatch(log, /my-key-id/)
})

t.test(
  'simulated venues write the settings of a gateway that reads them, over nothing that is there',
  async (t) => {
    const folder = t.testdir()
    const env = join(folder, '.env')
    const simulate = ['simulate', '--port', '0', '--markets', '3', '--env', env]
    const venues = spawn(process.execPath, [PROGRAM, ...simulate], {
      env: { PATH: process.env.PATH ?? '' },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    t.teardown(() => venues.kill('SIGKILL'))
    await printed(venues, /Stop with Ctrl-C/)
    const gateway = spawn(process.execPath, [PROGRAM, 'serve'], {
      cwd: folder,
      env: { PATH: process.env.PATH ?? '', PORT: '0', HISTORY: 'off' },
      stdio: ['ignore', 'pipe', 'inherit']
    })
    t.teardown(() => gateway.kill('SIGKILL'))
    const [address] =
      /http:\/\/127\.0\.0\.1:\d+/.exec(await printed(gateway, /Server listening at \S+"/)) ?? []
    while ((await fetch(`${address}/v1/readyz`)).status !== 200) await sleep(20)
    const { venues: read } = (await (await fetch(`${address}/v1/healthz`)).json()) as Health
    t.match(read, [{ source: 'websocket' }, { source: 'websocket' }], 'with the key')
    t.match(await crossbook(simulate), {
      code: 1,
      stdout: '',
      stderr: /cannot be written: it is there already\n$/
    })
  }
)

t.test('the demo prints its addresses, serves live books of both venues, and ends on SIGTERM', async (t) => {
  const folder = t.testdir({ temporary: {} })
  const temporary = join(folder, 'temporary')
  const recorded = () => readdirSync(temporary).filter((name) => name.startsWith('crossbook-demo-'))
  const nowhere = 'postgres://nobody@127.0.0.1:1/none'
  const child = spawn(process.execPath, [PROGRAM, 'demo', '--markets', '20'], {
    cwd: folder,
    env: {
      PATH: process.env.PATH ?? '',
      PORT: '0',
      TMPDIR: temporary,
      DATA_DIR: 'mine',
      DATABASE_URL: nowhere
    },
    stdio: ['ignore', 'pipe', 'inherit']
  })
  t.teardown(() => child.kill('SIGKILL'))
  const text = await printed(child, /\blive\b/)
  const docs = /Swagger UI\s+(http\S+)/.exec(text)?.[1]
  const api = /API\s+(http\S+)/.exec(text)?.[1]
  t.equal((await fetch(docs as string)).status, 200)
  const page = (await (await fetch(api as string)).json()) as {
    total: number
    items: { verdict: { state: string } }[]
  }
  t.equal(page.total, 40)
  t.ok(page.items.some(({ verdict }) => verdict.state === 'live'))
  const [made = ''] = recorded()
  t.ok(existsSync(join(temporary, made, 'journal')), 'it records into a folder of its own')
  const ended = once(child, 'exit')
  child.kill('SIGTERM')
  t.strictSame(await ended, [0, null])
  t.strictSame(recorded(), [], 'which is gone')
  t.strictSame(readdirSync(folder), ['temporary'], 'where real markets are recorded there is nothing of it')
})

const snapshot = (seq: number, ticker: string) => ({
  type: 'orderbook_snapshot',
  sid: 1,
  seq,
  msg: { market_ticker: ticker, yes_dollars_fp: [['0.4100', '120.00']], no_dollars_fp: [['0.5500', '10.00']] }
})
const delta = (seq: number, ticker: string, price: string, change: string) => ({
  type: 'orderbook_delta',
  sid: 1,
  seq,
  msg: { market_ticker: ticker, price_dollars: price, delta_fp: change, side: 'yes', ts_ms: 1 }
})

t.test('replay prints the books that a Kalshi session leaves, its gaps and what it ignored', async (t) => {
  const file = recording(t, [
    { type: 'subscribed', id: 1, msg: { channel: 'orderbook_delta', sid: 1 } },
    snapshot(1, 'KXA-1'),
    { received_ms: 1_000, frame: snapshot(2, 'KXB-1') },
    { received_ms: 1_001, frame: JSON.stringify(delta(3, 'KXA-1', '0.4200', '35.50')) },
    'not json at all',
    delta(5, 'KXA-1', '0.4200', '-35.50'),
    snapshot(6, 'KXB-1')
  ])
  const { code, stdout, stderr } = await crossbook(['replay', '--venue', 'kalshi', '--file', file, '--json'])
  t.equal(code, 0)
  t.equal(stderr, '')
  const result = JSON.parse(stdout) as ReplayResult
  t.match(result, { frames: 7, applied: 4, gaps: [{ sid: 1, expected: 4, received: 5, frame: 6 }] })
  t.equal(
    Object.values(result.ignored).reduce((sum, count) => sum + count, 0) + result.applied,
    result.frames
  )
  t.match(result.books['KXA-1'], {
    state: 'suspect',
    bids: [
      ['0.42', '35.5'],
      ['0.41', '120']
    ],
    asks: [['0.45', '10']]
  })
  t.match(result.books['KXB-1'], { state: 'live', sequence: 6 })
  const table = await crossbook(['replay', '--venue', 'kalshi', '--file', file])
  t.match(
    table.stdout,
    /7 frames, 4 applied[\s\S]*gap on sid 1 at frame 6: expected 4, received 5[\s\S]*KXA-1/
  )
})

t.test('replay prints the books that a Polymarket session leaves', async (t) => {
  const asset = '70741852963074185296307418529630741852963074185296307418529630741852963074185'
  const market = '0x5ec1a7e05ec1a7e05ec1a7e05ec1a7e05ec1a7e05ec1a7e05ec1a7e05ec1a7e0'
  const file = recording(t, [
    [
      {
        market,
        asset_id: asset,
        timestamp: '1795000000000',
        hash: 'fb2ceb0dd5ed85104c3e52536602f19798887494',
        bids: [{ price: '0.4', size: '100' }],
        asks: [{ price: '0.43', size: '30' }],
        event_type: 'book'
      }
    ],
    'PONG',
    {
      market,
      price_changes: [
        {
          asset_id: asset,
          price: '0.42',
          size: '25',
          side: 'BUY',
          hash: '5a4bd5f439989ca393a6a9e9d7f2da1a5b946182'
        }
      ],
      timestamp: '1795000000731',
      event_type: 'price_change'
    }
  ])
  const { stdout } = await crossbook(['replay', '--venue', 'polymarket', '--file', file, '--json'])
  const result = JSON.parse(stdout) as ReplayResult
  t.match(result, { frames: 3, applied: 2, ignored: { text: 1 }, gaps: [] })
  t.strictSame(result.books, {
    [asset]: {
      bids: [
        ['0.42', '25'],
        ['0.4', '100']
      ],
      asks: [['0.43', '30']],
      sequence: null,
      state: 'live'
    }
  })
})

t.test('replay says when a file is no recording of the venue', async (t) => {
  const file = join(t.testdir({ 'binary.bin': Buffer.from([0, 1, 2, 255, 10, 254, 0]) }), 'binary.bin')
  for (const venue of ['kalshi', 'polymarket']) {
    const { code, stderr } = await crossbook(['replay', '--venue', venue, '--file', file])
    t.equal(code, 1)
    t.match(stderr, new RegExp(`binary.bin holds no message of ${venue} about a book`))
  }
})

t.test('a command line that cannot be understood is one sentence and exit code 1', async (t) => {
  const cases: [string[], RegExp][] = [
    [['trade'], /there is no command trade/],
    [['constructor'], /there is no command constructor/],
    [['replay', '--file', 'x'], /--venue must be kalshi or polymarket/],
    [['replay', '--venue', 'kalshi'], /--file must name a recording/],
    [['replay', '--venue', 'kalshi', '--file', '/nowhere.jsonl'], /\/nowhere.jsonl cannot be read/],
    [['replay', '--venue', 'kalshi', '--file', '/tmp'], /\/tmp cannot be read: it is no file/],
    [['replay', '--colour'], /Unknown option '--colour'/],
    [['simulate', '--rate', 'fast'], /--rate must be a number, but is "fast"/],
    [['simulate', '--markets', '0'], /marketsPerVenue must be an integer from 1/],
    [['simulate', '--replay', 'kalshi'], /--replay and --file go together/]
  ]
  const ended = await Promise.all(cases.map(([args]) => crossbook(args)))
  for (const [index, [args, sentence]] of cases.entries()) {
    const { code, stderr } = ended[index] as Ended
    t.equal(code, 1, args.join(' '))
    t.match(stderr, sentence)
    t.equal(stderr.trim().split('\n').length, 1)
  }
  for (const command of ['serve', 'demo', 'simulate', 'export', 'replay']) {
    t.match(await crossbook([command, '--help']), {
      code: 0,
      stdout: new RegExp(`Usage: crossbook ${command}`)
    })
  }
  t.match(await crossbook([]), { code: 0, stdout: /Usage: crossbook COMMAND/ })
  const checkout = execFile(process.execPath, [join(root, 'bin/crossbook.mjs')], {
    env: { PATH: process.env.PATH ?? '' }
  })
  t.match(
    await printed(checkout, /Usage: crossbook COMMAND/),
    /serve/,
    'a checkout has the command without a build'
  )
})
