import { assertParameters, FAULT_CATALOGUE, type FaultName, type FaultParameters } from './fault-catalogue.ts'
import type { SimVenue } from './model/types.ts'

export type { FaultName, FaultParameters } from './fault-catalogue.ts'

/** Where a fault could fire; a rule that names a market or a connection fires only there. */
export interface FaultPlace {
  market?: string
  connection?: number
}

/** A fault that is switched on. */
export interface FaultRule {
  readonly name: FaultName
  readonly venue: SimVenue
  readonly parameters: Readonly<FaultParameters>
  /** How often it may still fire; null: until cleared. */
  remaining: number | null
}

type RuleListener = (rule: FaultRule) => void

/** How often a fault has fired since the start, and when: first since it was last switched on, and last. Epoch ms. */
export interface Firings {
  count: number
  firstMs: number
  lastMs: number
}

/** The switches of both venues. The wires ask it at each message; setting and clearing are for the control port. */
export class Faults {
  readonly #rules: Record<SimVenue, Map<FaultName, FaultRule>> = { kalshi: new Map(), polymarket: new Map() }
  readonly #fired = new Map<string, Firings>()
  readonly #now: () => number
  readonly #listeners = new Set<RuleListener>()

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  /**
   * Switches a fault on for one venue, in place of an earlier rule of the same name, and tells the listeners:
   * faults that act "at once" fire from there.
   *
   * @throws {RangeError} with one sentence if the fault does not exist there or a parameter does not fit
   */
  set(venue: SimVenue, name: FaultName, parameters: FaultParameters = {}): FaultRule {
    assertParameters(venue, name, parameters)
    const rule: FaultRule = {
      name,
      venue,
      parameters: { ...parameters },
      remaining: parameters.count ?? FAULT_CATALOGUE[name].defaultCount
    }
    this.#rules[venue].set(name, rule)
    const firings = this.#fired.get(`${venue}:${name}`)
    if (firings !== undefined) firings.firstMs = Number.NaN
    for (const listener of this.#listeners) listener(rule)
    return rule
  }

  /** Switches a fault off, on one venue or on both; returns how many rules went. */
  clear(name: FaultName, venue?: SimVenue): number {
    const venues: SimVenue[] = venue === undefined ? ['kalshi', 'polymarket'] : [venue]
    return venues.filter((one) => this.#rules[one].delete(name)).length
  }

  clearAll(): void {
    this.#rules.kalshi.clear()
    this.#rules.polymarket.clear()
  }

  /** Returns the parameters of a fault that is on at this place, without firing it; else undefined. */
  active(venue: SimVenue, name: FaultName, place?: FaultPlace): Readonly<FaultParameters> | undefined {
    const rules = this.#rules[venue]
    if (rules.size === 0) return undefined
    const rule = rules.get(name)
    return rule !== undefined && applies(rule.parameters, place) ? rule.parameters : undefined
  }

  /** Fires a fault that is on at this place: counts it, uses up one of its count, and returns its parameters. */
  consume(venue: SimVenue, name: FaultName, place?: FaultPlace): Readonly<FaultParameters> | undefined {
    const parameters = this.active(venue, name, place)
    if (parameters === undefined) return undefined
    const key = `${venue}:${name}`
    const nowMs = this.#now()
    const firings = this.#fired.get(key)
    if (firings === undefined) this.#fired.set(key, { count: 1, firstMs: nowMs, lastMs: nowMs })
    else {
      firings.count++
      firings.lastMs = nowMs
      if (Number.isNaN(firings.firstMs)) firings.firstMs = nowMs
    }
    const rule = this.#rules[venue].get(name)
    if (rule?.remaining != null) {
      rule.remaining -= 1
      if (rule.remaining <= 0) this.#rules[venue].delete(name)
    }
    return parameters
  }

  /** Returns how often a fault has fired since the start, cleared or not. */
  fired(venue: SimVenue, name: FaultName): number {
    return this.#fired.get(`${venue}:${name}`)?.count ?? 0
  }

  /** Returns the faults that are on. */
  rules(): (FaultRule & { fired: number })[] {
    return [...this.#rules.kalshi.values(), ...this.#rules.polymarket.values()].map((rule) => ({
      ...rule,
      fired: this.fired(rule.venue, rule.name)
    }))
  }

  /** Returns every count of firings, by `venue:name`. */
  firedCounts(): Record<string, number> {
    return Object.fromEntries([...this.#fired].map(([key, { count }]) => [key, count]))
  }

  /** Returns the counts with their times, by `venue:name`; `firstMs` is NaN while the present rule has not fired. */
  firings(): Record<string, Firings> {
    return Object.fromEntries([...this.#fired].map(([key, firings]) => [key, { ...firings }]))
  }

  /** Calls back when a fault is switched on; returns how to stop that. */
  onSet(listener: RuleListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
}

function applies(parameters: FaultParameters, place: FaultPlace | undefined): boolean {
  if (parameters.market !== undefined && parameters.market !== place?.market) return false
  return parameters.connection === undefined || parameters.connection === place?.connection
}
