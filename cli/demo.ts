import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { styleText } from 'node:util'
import { startServer } from '../server.ts'
import { readSettings } from '../services/settings.ts'
import { gatewaySettings } from '../simulator/gateway-settings.ts'
import { startSimulator } from '../simulator/index.ts'
import { startBoard } from './board.ts'
import { MODEL_HELP, MODEL_OPTIONS, simulatorOptions } from './simulator-options.ts'
import { parseCommand } from './usage.ts'

const HELP = `Usage: crossbook demo [options]

Runs the gateway against simulated venues in this process: no keys, no internet, no database.
Every setting of the environment holds, save those that say where the venues are and where to record: what is recorded
is deleted at the end.

${MODEL_HELP}`

export async function demoCommand(args: string[]): Promise<void> {
  const options = parseCommand(args, MODEL_OPTIONS, HELP)
  if (options === null) return
  const simulator = await startSimulator(simulatorOptions(options))
  const config = readSettings({
    LOG_LEVEL: 'warn',
    VALIDATE_RESPONSES: 'all',
    REDISCOVERY_INTERVAL_MS: '15000',
    ...process.env,
    PORT: String(await freePort(process.env.HOST ?? '127.0.0.1', Number(process.env.PORT ?? 3000))),
    ...gatewaySettings(simulator),
    // Made-up markets have no place among recorded ones.
    DATA_DIR: temporaryFolder(),
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
