import type { TProperties, TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import type { ValidationHealth } from '../../schemas/health.ts'

/** Which answers are checked: none, of each route one in `SAMPLE_EVERY` and no more than one a second, or every one. */
export type CheckMode = ValidationHealth['mode']

const SAMPLE_EVERY = 1_000
/** A large page takes half a millisecond to check: however many are asked for, that is next to nothing. */
const SAMPLE_APART_MS = 1_000
/** A larger answer is left out of the sample: parsing it would hold up everyone else. */
const SAMPLE_BYTES_MAX = 1 << 20

/** What a route says of its answers. */
export interface CheckedRoute {
  name: string
  /** The schema of the body, by status. */
  bodies: ReadonlyMap<number, TSchema>
  /** The schema of each line, where a 200 is lines of JSON. */
  line: TSchema | null
}

/** An answer that does not match its schema. `kind` is the same for the same fault of the same route. */
export interface CheckFailure {
  route: string
  kind: string
  detail: string
}

/** Checks real answers against the schemas that their routes declare, and counts what fails. */
export class ResponseChecker {
  readonly mode: CheckMode
  checked = 0
  private readonly components: TProperties
  private readonly onNewKind: (failure: CheckFailure) => void
  private readonly nowMs: () => number
  private readonly failures = new Map<string, number>()
  private readonly kinds = new Set<string>()
  private readonly compiled = new Map<TSchema, Validator>()
  private readonly samples = new Map<string, { turn: number; checkedAtMs: number }>()

  /** `nowMs` is a clock that never jumps. */
  constructor(
    mode: CheckMode,
    components: TProperties,
    onNewKind: (failure: CheckFailure) => void,
    nowMs = () => performance.now()
  ) {
    this.mode = mode
    this.components = components
    this.onNewKind = onNewKind
    this.nowMs = nowMs
  }

  /** Decides, before any work, whether a route's next answer is checked. */
  isDue(route: CheckedRoute): boolean {
    if (this.mode !== 'sample') return this.mode === 'all'
    const sample = this.samples.get(route.name)
    if (sample === undefined) {
      this.samples.set(route.name, { turn: 0, checkedAtMs: this.nowMs() })
      return true
    }
    if (++sample.turn % SAMPLE_EVERY !== 0) return false
    const nowMs = this.nowMs()
    if (nowMs - sample.checkedAtMs < SAMPLE_APART_MS) return false
    sample.checkedAtMs = nowMs
    return true
  }

  /** Whether a route's next answer may go past the check; it is then counted as one of those that are not due. */
  mayPass(routeName: string): boolean {
    if (this.mode !== 'sample') return this.mode === 'off'
    const sample = this.samples.get(routeName)
    if (sample === undefined || (sample.turn + 1) % SAMPLE_EVERY === 0) return false
    sample.turn++
    return true
  }

  /** Whether a body of that many bytes may be checked. */
  isSizeAllowed(bytes: number): boolean {
    return this.mode === 'all' || bytes <= SAMPLE_BYTES_MAX
  }

  /** Checks a whole body. */
  checkBody(route: CheckedRoute, status: number, body: string): void {
    const schema = route.bodies.get(status)
    this.checked++
    if (schema === undefined) this.fail(route, `${status}`, 'the route declares no schema for this status')
    else this.check(route, status, schema, body)
  }

  /** Checks one line of a body of lines. */
  checkLine(route: CheckedRoute, line: string): void {
    if (route.line !== null) this.check(route, 200, route.line, line)
  }

  health(): ValidationHealth {
    let failed = 0
    for (const count of this.failures.values()) failed += count
    return {
      mode: this.mode,
      checked: this.checked,
      failed,
      failuresByRoute: Object.fromEntries(this.failures)
    }
  }

  private check(route: CheckedRoute, status: number, schema: TSchema, text: string): void {
    let value: unknown
    try {
      value = JSON.parse(text)
    } catch (error) {
      this.fail(route, `${status} no JSON`, (error as Error).message)
      return
    }
    const validator = this.validator(schema)
    if (validator.Check(value)) return
    const [first] = validator.Errors(value)
    const path = first?.instancePath ?? ''
    // One kind for all items of a list.
    const kind = `${status} ${path.replace(/\/\d+/g, '/*')} ${first?.keyword ?? ''}`
    this.fail(route, kind, `${path} ${first?.message ?? 'does not match'}`)
  }

  private validator(schema: TSchema): Validator {
    const before = this.compiled.get(schema)
    if (before !== undefined) return before
    const fresh = Compile(this.components, schema) as Validator
    this.compiled.set(schema, fresh)
    return fresh
  }

  private fail(route: CheckedRoute, kind: string, detail: string): void {
    this.failures.set(route.name, (this.failures.get(route.name) ?? 0) + 1)
    const known = `${route.name} ${kind}`
    if (this.kinds.has(known)) return
    this.kinds.add(known)
    this.onNewKind({ route: route.name, kind, detail })
  }
}
