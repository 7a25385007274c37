import { createHash, timingSafeEqual } from 'node:crypto'
import { OperatorKeyUnsetError, OperatorKeyWrongError } from './errors.ts'

const BEARER = /^bearer +(\S+)$/i

/**
 * Checks the `authorization` header of an operator call, in a time that tells nothing of the key.
 *
 * @param key the operator key; empty when none is set
 * @throws {OperatorKeyUnsetError} when no key is set: then nobody is an operator
 * @throws {OperatorKeyWrongError} when the header is missing, malformed, or holds another key; it never names either
 */
export function assertOperator(key: string, authorization: string | undefined): void {
  if (key === '') throw new OperatorKeyUnsetError()
  const given = BEARER.exec(authorization ?? '')?.[1] ?? ''
  // Digests have one length, which the comparison asks for.
  if (!timingSafeEqual(digest(given), digest(key))) throw new OperatorKeyWrongError()
}

function digest(text: string): Buffer {
  return createHash('sha256').update(text).digest()
}
