/** The request cannot be understood; the message is one sentence for its sender. */
export class BadRequestError extends Error {}

/** There is nothing under this path. */
export class NotFoundError extends Error {}
