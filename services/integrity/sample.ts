/** Fields of venue messages that name a person, an account or an order, or that are a secret; no `token_id`. */
const PRIVATE_KEY =
  '(?:client_)?order_id|(?:user|member|subaccount)[^"]*|api_?key|secret|signature|(?:[a-z]+_)?token'
/** A value may be cut off by the end of the sample. */
const PRIVATE_FIELD = new RegExp(
  `("(?:${PRIVATE_KEY})"\\s*:\\s*)("(?:[^"\\\\]|\\\\.)*(?:"|\\\\?$)|[{[][^}\\]]*[}\\]]?|[^\\s,}\\]]+)`,
  'gi'
)

/**
 * Returns the start of a message as it may be shown and logged: what it says of accounts and orders, and secrets, are
 * blanked. The text need not be whole or valid JSON.
 */
export function withoutPrivate(sample: string): string {
  return sample.replace(PRIVATE_FIELD, '$1"***"')
}
