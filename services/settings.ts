import { envSchema } from 'env-schema'
import { type Config, ConfigSchema } from '../schemas/config.ts'
import { ConfigError } from './errors.ts'

/** Or they may hold one. */
const SECRETS = new Set([
  'KALSHI_API_KEY',
  'KALSHI_API_SECRET',
  'OPERATOR_API_KEY',
  'DATABASE_URL',
  'REDIS_URL'
])

const URLS = [
  'KALSHI_HTTP_BASE',
  'KALSHI_WS_URL',
  'POLYMARKET_HTTP_BASE',
  'POLYMARKET_GAMMA_BASE',
  'POLYMARKET_WS_URL'
] as const

/** What the schema of a setting says of its values. */
interface Allowed {
  type?: string
  enum?: readonly string[]
  minimum?: number
  exclusiveMinimum?: number
  maximum?: number
  expects?: string
}

/**
 * Returns the validated, frozen settings of an environment; variables that are empty count as not set.
 *
 * @throws {ConfigError} with one sentence that names the first malformed setting, never a secret's value
 */
export function readSettings(environment: Record<string, string | undefined>): Config {
  const given: Record<string, string> = {}
  for (const name of Object.keys(ConfigSchema.properties)) {
    const value = environment[name]
    if (value !== undefined && value.trim() !== '') given[name] = value.trim()
  }
  if (given.VENUES !== undefined) given.VENUES = listOf(given.VENUES).join(',')
  const config = validate(given)
  assertUrls(config)
  assertOrigins(config)
  assertRedisUrl(config)
  assertVenues(config)
  assertRole(config)
  assertKeepAlive(config)
  if ((config.KALSHI_API_KEY === '') !== (config.KALSHI_API_SECRET === '')) {
    const [missing, present] =
      config.KALSHI_API_KEY === ''
        ? ['KALSHI_API_KEY', 'KALSHI_API_SECRET']
        : ['KALSHI_API_SECRET', 'KALSHI_API_KEY']
    throw new ConfigError(
      `${missing} is missing although ${present} is set: set both, or neither to poll Kalshi`
    )
  }
  return Object.freeze(config)
}

/** Returns the entries of a comma-separated setting. */
export function listOf(setting: string): string[] {
  return setting
    .split(',')
    .map((entry) => entry.trim())
    .filter((entry) => entry !== '')
}

/** A pattern sees the scheme; whether a host follows, only the URL itself tells. */
function assertUrls(config: Config): void {
  for (const name of URLS)
    if (!URL.canParse(config[name]))
      throw new ConfigError(
        `${name} must be a URL with a host, such as ${name.endsWith('WS_URL') ? 'wss' : 'https'}://host/path, but is ${JSON.stringify(config[name])}`
      )
}

/** The message does not show the URL: it may hold a password. */
function assertRedisUrl({ REDIS_URL }: Config): void {
  if (REDIS_URL === '') return
  const isSound = URL.canParse(REDIS_URL) && /^\/?\d*$/.test(new URL(REDIS_URL).pathname)
  try {
    if (!isSound) throw new URIError()
    const { username, password } = new URL(REDIS_URL)
    decodeURIComponent(username + password)
  } catch {
    throw new ConfigError(
      'REDIS_URL must be a URL such as redis://user:password@host:6379/0, with a percent sign in a password written as %25'
    )
  }
}

function assertOrigins({ CORS_ORIGINS }: Config): void {
  for (const origin of listOf(CORS_ORIGINS)) {
    if (/^https?:/.test(origin) && URL.canParse(origin) && new URL(origin).origin === origin) continue
    const example = 'https://example.org or http://localhost:5173'
    throw new ConfigError(
      `CORS_ORIGINS must list origins such as ${example}, with no path, but holds ${JSON.stringify(origin)}`
    )
  }
}

/** True where what passes is recorded. A replica hears of books what its writers tell, which is no record of the venues. */
export function keepsHistory({ HISTORY, ROLE }: Pick<Config, 'HISTORY' | 'ROLE'>): boolean {
  return HISTORY !== 'off' && ROLE !== 'api'
}

function assertVenues({ VENUES }: Config): void {
  const venues = listOf(VENUES)
  const twice = venues.find((venue, i) => venues.indexOf(venue) !== i)
  if (twice !== undefined) throw new ConfigError(`VENUES must name each venue once, but names ${twice} twice`)
}

function assertRole({ ROLE, REDIS_URL }: Config): void {
  if (ROLE !== 'all' && REDIS_URL === '')
    throw new ConfigError(`ROLE ${ROLE} needs REDIS_URL: set it, or leave ROLE out to run alone`)
}

function assertKeepAlive({ STREAM_KEEP_ALIVE_MS, STREAM_IDLE_TIMEOUT_MS }: Config): void {
  if (STREAM_KEEP_ALIVE_MS >= STREAM_IDLE_TIMEOUT_MS)
    throw new ConfigError(
      `STREAM_KEEP_ALIVE_MS ${STREAM_KEEP_ALIVE_MS} must be below STREAM_IDLE_TIMEOUT_MS, which is ${STREAM_IDLE_TIMEOUT_MS}`
    )
}

function validate(given: Record<string, string>): Config {
  try {
    return envSchema<Config>({
      schema: ConfigSchema,
      data: given,
      env: false,
      dotenv: false,
      ajv: { customOptions: (ajv) => ajv.addKeyword('expects') }
    })
  } catch (cause) {
    const [failure] = (cause as { errors?: { instancePath: string }[] }).errors ?? []
    if (failure === undefined) throw cause
    throw new ConfigError(sentence(failure.instancePath.slice(1), given), { cause: undefined })
  }
}

function sentence(name: string, given: Record<string, string>): string {
  const properties: Record<string, Allowed> = ConfigSchema.properties
  const value = SECRETS.has(name) ? '' : `, but is ${JSON.stringify(given[name])}`
  return `${name} must be ${expectation(properties[name] as Allowed)}${value}`
}

/** Returns in words which values a setting takes. */
function expectation({ type, expects, enum: values, minimum, exclusiveMinimum, maximum }: Allowed): string {
  if (expects !== undefined) return expects
  if (values !== undefined) return `one of ${values.join(', ')}`
  const number = type === 'integer' ? 'a whole number' : 'a number'
  const least = exclusiveMinimum === undefined ? `from ${minimum}` : `above ${exclusiveMinimum} and up`
  return maximum === undefined ? `${number} ${least}` : `${number} ${least} to ${maximum}`
}
