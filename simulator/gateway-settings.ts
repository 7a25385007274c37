import type { Simulator } from './index.ts'

/** Names are those of Crossbook's settings; the simulator knows nothing else of it. */
export type GatewaySettings = Record<
  | 'KALSHI_API_KEY'
  | 'KALSHI_API_SECRET'
  | 'KALSHI_HTTP_BASE'
  | 'KALSHI_WS_URL'
  | 'POLYMARKET_HTTP_BASE'
  | 'POLYMARKET_GAMMA_BASE'
  | 'POLYMARKET_WS_URL',
  string
>

/** Returns the settings, as in an environment, of a gateway that reads these simulated venues in place of the real ones. */
export function gatewaySettings({
  kalshi,
  polymarket
}: Pick<Simulator, 'kalshi' | 'polymarket'>): GatewaySettings {
  return {
    KALSHI_API_KEY: kalshi.keyId,
    KALSHI_API_SECRET: kalshi.privateKeyPem,
    KALSHI_HTTP_BASE: kalshi.httpBase,
    KALSHI_WS_URL: kalshi.wsUrl,
    POLYMARKET_HTTP_BASE: polymarket.clobBase,
    POLYMARKET_GAMMA_BASE: polymarket.gammaBase,
    POLYMARKET_WS_URL: polymarket.wsUrl
  }
}
