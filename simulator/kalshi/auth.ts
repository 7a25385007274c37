import { constants, createPublicKey, verify } from 'node:crypto'
import type { IncomingHttpHeaders } from 'node:http'

/** What a set of credentials proved to be. Everything but `accepted` and `absent` is answered with 401. */
export type AuthVerdict =
  | 'accepted'
  | 'absent'
  | 'incomplete'
  | 'unknown_key'
  | 'skewed'
  | 'forged'
  | 'refused'

export interface Credentials {
  keyId: string
  /** SPKI PEM of an RSA or an Ed25519 key. */
  publicKeyPem: string
}

/** Judges the three KALSHI-ACCESS headers of a request; `path` is without host and without query string. */
export type Verifier = (headers: IncomingHttpHeaders, method: string, path: string) => AuthVerdict

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/

/**
 * Returns a verifier of signatures over timestamp + METHOD + path: RSA-PSS with SHA-256 and a salt as long as
 * the digest, or plain Ed25519, as the key asks.
 *
 * @param clock the venue's clock, ms since the epoch
 * @param toleranceMs how far the signed timestamp may lie from it; the venue publishes no figure
 * @throws if the PEM is not a public key of one of the two kinds
 */
export function createVerifier(credentials: Credentials, clock: () => number, toleranceMs = 5_000): Verifier {
  const key = createPublicKey(credentials.publicKeyPem)
  const isRsa = key.asymmetricKeyType === 'rsa'
  if (!isRsa && key.asymmetricKeyType !== 'ed25519') {
    throw new Error(`A Kalshi key is RSA or Ed25519, not ${key.asymmetricKeyType}`)
  }
  const pss = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }

  return (headers, method, path) => {
    const keyId = headers['kalshi-access-key']
    const timestamp = headers['kalshi-access-timestamp']
    const signature = headers['kalshi-access-signature']
    if (keyId === undefined && timestamp === undefined && signature === undefined) return 'absent'
    if (typeof keyId !== 'string' || typeof timestamp !== 'string' || typeof signature !== 'string') {
      return 'incomplete'
    }
    if (keyId !== credentials.keyId) return 'unknown_key'
    if (!/^\d{1,15}$/.test(timestamp) || Math.abs(Number(timestamp) - clock()) > toleranceMs) return 'skewed'
    if (!BASE64.test(signature)) return 'forged'
    const text = Buffer.from(timestamp + method.toUpperCase() + path)
    const bytes = Buffer.from(signature, 'base64')
    const genuine = isRsa ? verify('sha256', text, pss, bytes) : verify(null, text, key, bytes)
    return genuine ? 'accepted' : 'forged'
  }
}
