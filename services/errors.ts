/** Every error thrown on purpose: a stable `code` and the numbers that explain it. HTTP statuses live elsewhere. */
export abstract class CrossbookError extends Error {
  abstract readonly code: string

  constructor(message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = new.target.name
  }
}

/** The configured capacity for order-book levels is used up; the book that did not fit stays unsynced. */
export class ArenaFullError extends CrossbookError {
  readonly code = 'ARENA_FULL'

  constructor(capacityLevels: number) {
    super(`all ${capacityLevels} order-book levels are in use: raise BOOK_LEVELS_MAX or select fewer markets`)
  }
}

export class MarketNotFoundError extends CrossbookError {
  readonly code = 'MARKET_NOT_FOUND'

  constructor(id: string) {
    super(`no market ${id}: see /v1/markets/index for the ids that are served`)
  }
}

export class EventNotFoundError extends CrossbookError {
  readonly code = 'EVENT_NOT_FOUND'

  constructor(id: string) {
    super(`no event ${id}: see /v1/events for the ids that are served`)
  }
}

/** Something that a start waits for is not done; ask again after the given time. */
export class NotReadyError extends CrossbookError {
  readonly code = 'NOT_READY'
  readonly retryAfterSeconds: number

  constructor(retryAfterSeconds: number, why = 'the first synchronisation with the venues is not done') {
    super(`${why}: retry in ${retryAfterSeconds} s`)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** A setting is missing or malformed; the start ends with this one sentence. */
export class ConfigError extends CrossbookError {
  readonly code = 'CONFIG_INVALID'
}

/** A venue's REST answer that is not what the protocol says; `status` is null when there was no answer. */
export class VenueRestError extends CrossbookError {
  readonly code: string = 'VENUE_REST'
  readonly status: number | null
  readonly retryable: boolean

  constructor(message: string, status: number | null, retryable: boolean, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    this.retryable = retryable
  }
}

/** A circuit breaker is open: the venue was not asked. What is in memory goes on being served with its verdict. */
export class UpstreamUnavailableError extends VenueRestError {
  override readonly code = 'UPSTREAM_UNAVAILABLE'
  readonly retryInMs: number

  constructor(upstream: string, retryInMs: number, lastFailure: string) {
    super(`${upstream} is not asked for another ${Math.ceil(retryInMs)} ms: ${lastFailure}`, null, true)
    this.retryInMs = retryInMs
  }
}

/** A run of the recycler is under way, and there is one at a time. */
export class RecyclerBusyError extends CrossbookError {
  readonly code = 'RECYCLER_BUSY'

  constructor(runId: number) {
    super(`run ${runId} is under way: see /v1/recycler`)
  }
}

/** An operator call, but no operator key is set: such calls are refused. */
export class OperatorKeyUnsetError extends CrossbookError {
  readonly code = 'OPERATOR_KEY_UNSET'

  constructor() {
    super('operator calls are off: set OPERATOR_API_KEY to allow them')
  }
}

/** An operator call without the operator key, or with another one. */
export class OperatorKeyWrongError extends CrossbookError {
  readonly code = 'OPERATOR_KEY_WRONG'

  constructor() {
    super('this call needs the header authorization: Bearer <OPERATOR_API_KEY>')
  }
}

/** The database that holds the history cannot be reached just now: ask again, unless it never will. */
export class HistoryUnavailableError extends CrossbookError {
  readonly code = 'HISTORY_UNAVAILABLE'
  readonly retryAfterSeconds: number | null

  constructor(why: string, isPassing = true) {
    super(
      isPassing
        ? `the history cannot be read just now (${why}): retry in 5 s`
        : `the history cannot be read: ${why}`
    )
    this.retryAfterSeconds = isPassing ? 5 : null
  }
}

/** Nothing is recorded here. */
export class HistoryOffError extends CrossbookError {
  readonly code = 'HISTORY_OFF'

  constructor() {
    super('nothing is recorded here: HISTORY is off, or this process is a replica; ask one that records')
  }
}

/** A time, a range or a cursor that a client gave is none. */
export class RangeInvalidError extends CrossbookError {
  readonly code = 'RANGE_INVALID'
}

/** What a book was at that instant cannot be proved; the message names the hole. */
export class BookUnprovenError extends CrossbookError {
  readonly code = 'BOOK_UNPROVEN'
}

/** Nothing was recorded of that market at that instant. */
export class BookUnknownError extends CrossbookError {
  readonly code = 'BOOK_UNKNOWN'
}

/** A stream was asked for that is not given; the code says why. */
export class StreamRefusedError extends CrossbookError {
  readonly code: string
  /** Null where asking again does not help. */
  readonly retryAfterSeconds: number | null

  constructor(code: string, message: string, retryAfterSeconds: number | null = null) {
    super(message)
    this.code = code
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** Redis did not do what it was asked: it is away, or too slow, or it refused. What is in memory goes on being served. */
export class RedisUnavailableError extends CrossbookError {
  readonly code = 'REDIS_UNAVAILABLE'
}
