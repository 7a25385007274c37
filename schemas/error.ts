import { type Static, Type } from 'typebox'

/** The body of every answer that is not a success. */
export const ErrorSchema = Type.Object(
  {
    statusCode: Type.Integer({ description: 'The HTTP status' }),
    code: Type.String({ description: 'A stable code for programs, such as MARKET_NOT_FOUND' }),
    error: Type.String({ description: "The status's name" }),
    message: Type.String({ description: 'One sentence for people: what is wrong and what to do' })
  },
  {
    $id: 'Error',
    description: 'Why a request was refused or failed',
    examples: [
      {
        statusCode: 404,
        code: 'MARKET_NOT_FOUND',
        error: 'Not Found',
        message: 'no market kalshi:NOPE: see /v1/markets/index for the ids that are served'
      }
    ]
  }
)
export type ErrorBody = Static<typeof ErrorSchema>
