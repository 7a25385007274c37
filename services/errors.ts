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

/** The first synchronisation is not done; ask again after the given time. */
export class NotReadyError extends CrossbookError {
  readonly code = 'NOT_READY'
  readonly retryAfterSeconds: number

  constructor(retryAfterSeconds: number) {
    super(`the first synchronisation with the venues is not done: retry in ${retryAfterSeconds} s`)
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** A setting is missing or malformed; the start ends with this one sentence. */
export class ConfigError extends CrossbookError {
  readonly code = 'CONFIG_INVALID'
}

/** A venue's REST answer that is not what the protocol says; `status` is null when there was no answer. */
export class VenueRestError extends CrossbookError {
  readonly code = 'VENUE_REST'
  readonly status: number | null
  readonly retryable: boolean

  constructor(message: string, status: number | null, retryable: boolean, options?: ErrorOptions) {
    super(message, options)
    this.status = status
    this.retryable = retryable
  }
}
