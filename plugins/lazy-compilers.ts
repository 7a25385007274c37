import { AjvCompiler, type ValidatorFactory } from '@fastify/ajv-compiler'
import { type SerializerFactory, SerializerSelector } from '@fastify/fast-json-stringify-compiler'

/** What Fastify asks of a validator. */
interface Validator {
  (data: unknown): unknown
  errors?: unknown
}

type Serializer = (data: unknown) => string

/**
 * Fastify's own compilers, each schema compiled when an answer or a question first needs it: all of them at once were half
 * of a start, and most statuses of most routes are never answered. What the first of a kind waits is some milliseconds.
 */
export function lazyCompilers(): { buildValidator: ValidatorFactory; buildSerializer: SerializerFactory } {
  return {
    buildValidator: lazily(AjvCompiler(), lazyValidator) as ValidatorFactory,
    buildSerializer: lazily(SerializerSelector(), lazySerializer) as SerializerFactory
  }
}

function lazyValidator(validator: () => Validator): Validator {
  const lazy: Validator = (data) => {
    const result = validator()(data)
    // That is where Fastify looks for them.
    lazy.errors = validator().errors
    return result
  }
  return lazy
}

function lazySerializer(serializer: () => Serializer): Serializer {
  return (data) => serializer()(data)
}

/** Returns a factory of compilers that compile only what `wrap` asks for. */
function lazily<Compiled>(build: unknown, wrap: (compiled: () => Compiled) => Compiled) {
  const buildNow = build as (...options: unknown[]) => (route: unknown) => Compiled
  return (...options: unknown[]) => {
    const compiler = once(() => buildNow(...options))
    return (route: unknown) => wrap(once(() => compiler()(route)))
  }
}

function once<Value>(make: () => Value): () => Value {
  let made: Value | undefined
  return () => {
    made ??= make()
    return made
  }
}
