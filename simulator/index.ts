import { generateKeyPair } from 'node:crypto'
import { promisify } from 'node:util'
import { type AutoFaults, startAutoFaults } from './control/auto-faults.ts'
import { type ControlServer, type SimulatorStats, startControl } from './control/server.ts'
import { Faults } from './faults.ts'
import { type KalshiServer, startKalshi } from './kalshi/server.ts'
import { createRandom } from './model/random.ts'
import type { World } from './model/types.ts'
import { createWorld } from './model/world.ts'
import { completeOptions, type SimulatorOptions } from './options.ts'
import { type PolymarketServer, startPolymarket } from './polymarket/server.ts'

export type { SimulatorOptions } from './options.ts'

/** Both venues on loopback, and the way to their truth and their faults. */
export interface Simulator {
  kalshi: { httpBase: string; wsUrl: string; keyId: string; privateKeyPem: string }
  polymarket: { clobBase: string; gammaBase: string; wsUrl: string }
  controlUrl: string
  world: World
  faults: Faults
  stats(): SimulatorStats
  stop(): Promise<void>
}

const KEY_ID = '00000000-0000-4000-8000-5117517a7e00'

/**
 * Starts both venues and the control port on 127.0.0.1.
 *
 * @throws {RangeError} with one sentence for each option that does not fit; an error of the system if a port is taken
 */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const { port, rate, running, now, replay, ...rest } = completeOptions(options)
  const { publicKeyPem, privateKeyPem } = await createKeys()
  const world = createWorld({ ...rest, now })
  const faults = new Faults(now)
  const random = createRandom(rest.seed ^ 0x5eed)
  const started: { stop(): unknown }[] = [world]
  const stop = async () => {
    for (const part of started.splice(0).reverse()) await part.stop()
  }

  try {
    const kalshi: KalshiServer = await startKalshi({
      world,
      faults,
      port,
      auth: { keyId: KEY_ID, publicKeyPem },
      clock: now,
      random: random.fork().next,
      ...(replay?.venue === 'kalshi' ? { replay } : {})
    })
    started.push(kalshi)
    const polymarket: PolymarketServer = await startPolymarket({
      world,
      faults,
      port: port === 0 ? 0 : port + 1,
      clock: now,
      random: random.fork(),
      ...(replay?.venue === 'polymarket' ? { replay } : {})
    })
    started.push(polymarket)
    const auto: AutoFaults = startAutoFaults(faults, random.fork())
    started.push(auto)
    const stats = () => ({ kalshi: kalshi.stats(), polymarket: polymarket.stats() })
    const followers = () => ({ kalshi: kalshi.followers(), polymarket: polymarket.followers() })
    const control: ControlServer = await startControl({
      world,
      faults,
      followers,
      port: port === 0 ? 0 : port + 3,
      stats
    })
    started.push(control)

    world.setRate(rate)
    if (running) world.start()
    const { clobBase, gammaBase, wsUrl } = polymarket
    return {
      kalshi: { httpBase: kalshi.httpBase, wsUrl: kalshi.wsUrl, keyId: KEY_ID, privateKeyPem },
      polymarket: { clobBase, gammaBase, wsUrl },
      controlUrl: control.url,
      world,
      faults,
      stats,
      stop
    }
  } catch (error) {
    await stop()
    throw error
  }
}

async function createKeys() {
  const { publicKey, privateKey } = await promisify(generateKeyPair)('rsa', {
    modulusLength: 2048,
    publicKeyEncoding: { type: 'spki', format: 'pem' },
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' }
  })
  return { publicKeyPem: publicKey, privateKeyPem: privateKey }
}
