import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { styleText } from 'node:util'
import { startServer } from '../server.ts'
import { readSettings } from '../services/settings.ts'
import { gatewaySettings } from '../simulator/gateway-settings.ts'
import { type Simulator, startSimulator } from '../simulator/index.ts'
import { startBoard } from './board.ts'
import { MODEL_HELP, MODEL_OPTIONS, simulatorOptions } from './simulator-options.ts'
import { parseCommand } from './usage.ts'

const HELP = `Usage: crossbook demo [options]

Runs the gateway against simulated venues in this process: no keys, no internet, no server of a database.
Every setting of the environment holds, save those that say where the venues are and where to record: what is recorded
is deleted at the end, unless --keep names a folder for it.

  --keep FOLDER        record there and leave it

${MODEL_HELP}`

const DEFAULT_PORT = 3000

export async function demoCommand(args: string[]): Promise<void> {
  const options = parseCommand(args, { ...MODEL_OPTIONS, keep: { type: 'string' } }, HELP)
  if (options === null) return
  const simulator = await startSimulator(simulatorOptions(options))
  try {
    await serveDemo(simulator, options.keep ?? temporaryFolder())
  } catch (error) {
    await simulator.stop()
    throw error
  }
}

async function serveDemo(simulator: Simulator, dataDir: string): Promise<void> {
  const config = readSettings({
    LOG_LEVEL: 'warn',
    VALIDATE_RESPONSES: 'all',
    REDISCOVERY_INTERVAL_MS: '15000',
    ...process.env,
    PORT: await portOf(process.env),
    ...gatewaySettings(simulator),
    // Made-up markets have no place among recorded ones.
    DATA_DIR: dataDir,
    DATABASE_URL: ''
  })
  let stopBoard = () => {}
  const app = await startServer({
    config,
    onClose: async () => {
      stopBoard()
      await simulator.stop()
    }
  })
  const base = `http://${config.HOST}:${config.PORT}`
  const title = styleText('bold', 'Crossbook demo', { stream: process.stdout })
  console.log(`${title}: two simulated venues, one gateway. Stop with Ctrl-C.

  API           ${base}/v1/markets?pageSize=5&sort=-volume24h
  Swagger UI    ${base}/docs
  Stream        ${base.replace('http', 'ws')}/v1/stream   (or ${base}/v1/stream/sse; messages: ${base}/docs/stream)
  Health        ${base}/v1/healthz
  Simulator     ${simulator.controlUrl}/faults   (switch faults on and watch the verdicts)
`)
  stopBoard = startBoard(app)
}

/** Returns a folder that is deleted when the process ends, however it does. */
function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'crossbook-demo-'))
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** Returns the port that was asked for; only the default is exchanged for another where somebody listens there already. */
async function portOf({ HOST = '127.0.0.1', PORT = '' }: NodeJS.ProcessEnv): Promise<string> {
  if (PORT !== '' && PORT !== '0') return PORT
  return String(await freePort(HOST, PORT === '0' ? 0 : DEFAULT_PORT))
}

/** Returns the wished port, or a free one when somebody listens there already. */
async function freePort(host: string, wished: number): Promise<number> {
  for (const port of [wished, 0]) {
    const taken = await new Promise<number | null>((resolve) => {
      const probe = createServer()
      probe.once('error', () => resolve(null))
      probe.listen(port, host, () => {
        const address = probe.address()
        probe.close(() => resolve(typeof address === 'object' && address !== null ? address.port : null))
      })
    })
    if (taken !== null) return taken
  }
  return wished
}
