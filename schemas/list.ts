import { type TSchema, Type } from 'typebox'

export const PAGE_SIZE_MAX = 500
export const PAGE_SIZE_DEFAULT = 50

/** The query parameters that every paged list takes. */
export const pageQuery = {
  page: Type.Optional(
    Type.Integer({ description: 'Which page, counted from 1', minimum: 1, maximum: 1_000_000, default: 1 })
  ),
  pageSize: Type.Optional(
    Type.Integer({
      description: 'Items on a page',
      minimum: 1,
      maximum: PAGE_SIZE_MAX,
      default: PAGE_SIZE_DEFAULT
    })
  )
}

/** One page of a list. */
export const pageOf = <T extends TSchema, Id extends string>($id: Id, item: T, description: string) =>
  Type.Object(
    {
      page: Type.Integer({ description: 'This page, counted from 1' }),
      pageSize: Type.Integer({ description: 'Items on a full page' }),
      total: Type.Integer({ description: 'Items on all pages together' }),
      items: Type.Array(item, { description: 'The items of this page, in order' })
    },
    { $id, additionalProperties: false, description }
  )

/** For routes that take no query: what is sent all the same is refused by name. */
export const NO_QUERY = Type.Object({}, { additionalProperties: false })
