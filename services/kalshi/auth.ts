import { constants, createPrivateKey, type KeyObject, sign } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { ConfigError } from '../errors.ts'

/** Returns the headers of one request; `path` starts at the host root, without the query. */
export type Signer = (method: string, path: string) => Record<string, string>

/**
 * Returns what signs requests and upgrades with an API key, or null where none is set.
 *
 * @param secret PEM text, in which `\n` may stand for a line end, or a path to a PEM file; RSA or Ed25519
 * @throws {ConfigError} with one sentence that never holds any of the secret
 * @see https://docs.kalshi.com/getting_started/quick_start_websockets
 */
export function loadSigner(keyId: string, secret: string, now: () => number = Date.now): Signer | null {
  if (keyId === '' && secret === '') return null
  if (keyId === '') throw new ConfigError('KALSHI_API_KEY is missing although KALSHI_API_SECRET is set')
  if (secret === '') throw new ConfigError('KALSHI_API_SECRET is missing although KALSHI_API_KEY is set')
  const key = readKey(secret)
  return (method, path) => {
    const timestamp = String(now())
    return {
      'KALSHI-ACCESS-KEY': keyId,
      'KALSHI-ACCESS-TIMESTAMP': timestamp,
      'KALSHI-ACCESS-SIGNATURE': signatureOf(key, `${timestamp}${method.toUpperCase()}${path}`)
    }
  }
}

function signatureOf(key: KeyObject, text: string): string {
  const bytes = Buffer.from(text)
  const signature =
    key.asymmetricKeyType === 'ed25519'
      ? sign(null, bytes, key)
      : sign('sha256', bytes, {
          key,
          padding: constants.RSA_PKCS1_PSS_PADDING,
          saltLength: constants.RSA_PSS_SALTLEN_DIGEST
        })
  return signature.toString('base64')
}

/** No cause is kept on these errors: what OpenSSL or the file system says may repeat the secret. */
function readKey(secret: string): KeyObject {
  let key: KeyObject
  try {
    key = createPrivateKey(pemOf(secret))
  } catch (error) {
    if (error instanceof ConfigError) throw error
    throw new ConfigError('KALSHI_API_SECRET holds no private key that can be read: give an unencrypted PEM')
  }
  if (key.asymmetricKeyType !== 'rsa' && key.asymmetricKeyType !== 'ed25519')
    throw new ConfigError('KALSHI_API_SECRET holds a key that is neither RSA nor Ed25519')
  return key
}

function pemOf(secret: string): string {
  if (secret.includes('-----BEGIN')) return secret.replaceAll('\\r', '').replaceAll('\\n', '\n')
  try {
    return readFileSync(secret, 'utf8')
  } catch {
    throw new ConfigError('KALSHI_API_SECRET is neither PEM text nor the path of a file that can be read')
  }
}
