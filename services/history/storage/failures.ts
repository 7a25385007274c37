import pg from 'pg'
import { CrossbookError, HistoryUnavailableError } from '../../errors.ts'

/**
 * Classes and codes of SQLSTATE that say "not now", and nothing about the statement: connection lost, shutdown or
 * start, out of connections, memory or disk, cancelled for its time, deadlock, a standby that only reads.
 *
 * @see https://www.postgresql.org/docs/15/errcodes-appendix.html
 */
const PASSING = /^(08|53|57P|57014|40001|40P01|55P03|25006|28|3D)/

/** Of these, the connection itself is still good. */
const CONNECTION_KEPT = /^(53100|57014|40001|40P01|55P03|25006)/

/** What a failed statement means: what to throw, and whether the connection may serve again. */
export interface Failure {
  error: unknown
  connectionLost: boolean
  /** No answer within the limit: the server may still be at it. */
  stuck: boolean
}

/** Judges what `pg` threw. No text of it passes that could hold the database's URL. */
export function judgeFailure(error: unknown): Failure {
  if (error instanceof pg.DatabaseError) {
    const code = error.code ?? ''
    if (!PASSING.test(code)) return { error, connectionLost: false, stuck: false }
    const why = code === '57014' ? 'it took too long' : `${error.message}, SQLSTATE ${code}`
    return {
      error: new HistoryUnavailableError(why),
      connectionLost: !CONNECTION_KEPT.test(code),
      stuck: false
    }
  }
  // Ours, or a mistake in our code: a parameter that cannot be sent.
  if (error instanceof CrossbookError || error instanceof TypeError || error instanceof RangeError)
    return { error, connectionLost: false, stuck: false }
  const { code, message } = error as NodeJS.ErrnoException
  const stuck = message === 'Query read timeout'
  const why = stuck
    ? 'it took too long'
    : message.startsWith('timeout exceeded')
      ? 'all connections are busy'
      : message.startsWith('Cannot use a pool')
        ? 'it is closed'
        : code === undefined
          ? 'the connection was lost'
          : `the database cannot be reached, ${code}`
  return { error: new HistoryUnavailableError(why), connectionLost: true, stuck }
}
