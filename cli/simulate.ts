import { writeFileSync } from 'node:fs'
import { styleText } from 'node:util'
import { type GatewaySettings, gatewaySettings } from '../simulator/gateway-settings.ts'
import { startSimulator } from '../simulator/index.ts'
import { MODEL_HELP, MODEL_OPTIONS, simulatorOptions } from './simulator-options.ts'
import { parseCommand, UsageError, wholeNumber } from './usage.ts'

const HELP = `Usage: crossbook simulate [options]

Runs simulated Kalshi and Polymarket venues on loopback, until SIGTERM or SIGINT.

${MODEL_HELP}
  --port N           first of four ports to listen on; 0 takes free ones (7100)
  --replay VENUE     send a recording instead of the model: kalshi or polymarket
  --file FILE        the recording, one frame a line
  --speed N          pace of the recording: 1 is real time, 0 as fast as it can be read (1)
  --json             print the addresses as one JSON object
  --env FILE         write the settings of a gateway that reads these venues: as its .env, for one`

export async function simulateCommand(args: string[]): Promise<void> {
  const options = parseCommand(
    args,
    {
      ...MODEL_OPTIONS,
      port: { type: 'string', default: '7100' },
      replay: { type: 'string' },
      file: { type: 'string' },
      speed: { type: 'string', default: '1' },
      json: { type: 'boolean', default: false },
      env: { type: 'string' }
    },
    HELP
  )
  if (options === null) return
  const { replay, file } = options
  if ((replay === undefined) !== (file === undefined)) throw new UsageError('--replay and --file go together')
  if (replay !== undefined && replay !== 'kalshi' && replay !== 'polymarket') {
    throw new UsageError(`--replay must be kalshi or polymarket, but is ${JSON.stringify(replay)}`)
  }
  const simulator = await startSimulator(
    simulatorOptions(options, {
      port: wholeNumber('port', options.port, 0),
      ...(replay === undefined || file === undefined
        ? {}
        : { replay: { venue: replay, file, speed: Number(options.speed) } })
    })
  )
  const { kalshi, polymarket, controlUrl } = simulator
  try {
    if (options.env !== undefined) writeSettings(options.env, gatewaySettings(simulator))
  } catch (error) {
    await simulator.stop()
    throw error
  }
  if (options.json) console.log(JSON.stringify({ kalshi, polymarket, controlUrl }))
  else {
    const title = styleText('bold', 'Simulated venues', { stream: process.stdout })
    console.log(`${title}
  Kalshi REST        ${kalshi.httpBase}
  Kalshi WebSocket   ${kalshi.wsUrl}
  Kalshi key id      ${kalshi.keyId}   (--json prints its private key, --env FILE writes all of it for a gateway)
  Polymarket CLOB    ${polymarket.clobBase}
  Polymarket Gamma   ${polymarket.gammaBase}
  Polymarket WS      ${polymarket.wsUrl}
  Control            ${controlUrl}   (GET /faults lists what can go wrong)

Stop with Ctrl-C.`)
  }
  await new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  await simulator.stop()
}

/** Never over a file that is there: it may hold the keys of somebody. */
function writeSettings(file: string, settings: GatewaySettings): void {
  const lines = Object.entries(settings).map(
    ([name, value]) => `${name}="${value.replaceAll('\n', '\\n')}"\n`
  )
  try {
    writeFileSync(file, lines.join(''), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new UsageError(
      `--env ${file} cannot be written: ${code === 'EEXIST' ? 'it is there already' : code}`
    )
  }
}
