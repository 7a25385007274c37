import { fileURLToPath } from 'node:url'

/**
 * What runs where a test or a fault starts a `crossbook` of its own: the sources, or the bundle that the runner of the
 * tests has built and names, which starts in a fifth of the time.
 */
export const PROGRAM =
  process.env.CROSSBOOK_PROGRAM ?? fileURLToPath(new URL('../bin/crossbook.mjs', import.meta.url))
