import { setTimeout as sleep } from 'node:timers/promises'
import type { SimVenue } from '../simulator/model/types.ts'
import type { Gateway } from './gateway.ts'
import { isWhole, type Judgement, judge, signsOf, type Trial } from './judge.ts'
import type { Sample, Sampler } from './sample.ts'
import type { Act, Scenario } from './scenario.ts'
import { unreceived } from './unreceived.ts'
import type { Venues } from './venues.ts'

/** How long a gateway may take to be whole before a fault is tried on it. */
const CALM_MS = 12_000
const WHOLE_LOOKS = 3

export interface Row extends Judgement {
  name: string
  venue: string
  limitMs: number
  tookMs: number
  /** Everything that was seen after the fault, for whoever looks for the cause. */
  signs: string[]
  /** What failed the first time, where it was tried once more. */
  first?: string[]
}

/** One venue of one gateway, on which faults are tried one after the other. */
export class Lane {
  readonly #venue: SimVenue
  readonly #venues: Venues
  readonly #gateway: Gateway
  readonly #sampler: Sampler
  /** Markets that were targets, so that each fault meets a fresh one. */
  readonly #used = new Set<string>()

  constructor(venue: SimVenue, venues: Venues, gateway: Gateway, sampler: Sampler) {
    this.#venue = venue
    this.#venues = venues
    this.#gateway = gateway
    this.#sampler = sampler
  }

  /** Tries one fault and says what came of it. */
  async run(scenario: Scenario): Promise<Row> {
    const startedMs = performance.now()
    const calm = await this.#calm()
    const before = calm ?? (await this.#next())
    if (before === null) throw new Error('the gateway answers no more')
    const target = await this.#target(before)
    const connection = await this.#connectionOf(target)
    const lostBefore = await this.#unreceived(scenario)

    const samples: Sample[] = []
    const unlisten = this.#sampler.onSample((sample) => samples.push(sample))
    const setAtMs = Date.now()
    let listed: string | null = null
    for (const act of scenario.acts) listed = (await this.#do(act, target, connection.id)) ?? listed

    const concerned = new Set(
      listed === null
        ? this.#concerned(scenario, before, target, connection.markets)
        : [`${this.#venue}:${listed}`]
    )
    const trial: Omit<Trial, 'firedAtMs' | 'messagesLost'> = {
      venue: this.#venue,
      concerned,
      alarms: scenario.alarms,
      isHarmless: scenario.concerns === 'nobody',
      mayReconnect: scenario.mayReconnect,
      limitMs: scenario.limitMs,
      detectMs: scenario.detectMs,
      before,
      samples
    }
    await this.#watch(scenario, trial, setAtMs)
    for (const act of scenario.undo) await this.#do(act, target, connection.id)
    await this.#clearFaults(scenario)
    // What is still broken now that nothing spoils it any more gets a last chance.
    await this.#sampler.until(
      (sample) => [...concerned].every((id) => isWhole(sample.books.get(id))),
      scenario.recoverMs
    )
    unlisten()

    const lostAfter = await this.#unreceived(scenario)
    const firedAtMs = await this.#firedAt(scenario, setAtMs)
    const messagesLost =
      lostBefore === null || lostAfter === null ? null : Math.max(0, lostAfter - lostBefore)
    const verdict = judge({ ...trial, firedAtMs, messagesLost })
    const signs = new Set(samples.flatMap((sample) => [...signsOf(trial, sample)]))
    return {
      name: scenario.name,
      venue: this.#venue,
      limitMs: scenario.limitMs,
      ...verdict,
      tookMs: Math.round(performance.now() - startedMs),
      signs: [...signs].filter((sign) => !ALWAYS_GROWING.test(sign))
    }
  }

  #unreceived({ withholds }: Scenario): Promise<number | null> {
    return unreceived(this.#venues, this.#gateway, this.#venue, withholds)
  }

  #next(): Promise<Sample | null> {
    return this.#sampler.until(() => true, CALM_MS)
  }

  /** Resolves to a look at which every book of the venue had been whole for a while; null when that does not come. */
  #calm(): Promise<Sample | null> {
    let looks = 0
    return this.#sampler.until((sample) => {
      const own = [...sample.books].filter(([id]) => id.startsWith(`${this.#venue}:`))
      looks = own.length > 0 && own.every(([, book]) => isWhole(book)) ? looks + 1 : 0
      return looks >= WHOLE_LOOKS
    }, CALM_MS)
  }

  /** Watches until the fault is detected and healed, or the time for that is over. */
  async #watch(
    scenario: Scenario,
    trial: Omit<Trial, 'firedAtMs' | 'messagesLost'>,
    setAtMs: number
  ): Promise<void> {
    const { alarms, concerned } = trial
    const isDetected = (sample: Sample) => {
      if (alarms.length === 0) return true
      const signs = signsOf(trial, sample)
      return alarms.some((alarm) => signs.has(alarm))
    }
    const seen =
      trial.samples.find(isDetected) ?? (await this.#sampler.until(isDetected, scenario.detectMs + 5_000))
    if (scenario.clearWhenDetected) await this.#clearFaults(scenario)
    if (seen !== null) {
      await this.#sampler.until(
        (sample) => [...concerned].every((id) => isWhole(sample.books.get(id))),
        scenario.recoverMs
      )
    }
    await sleep(Math.max(0, setAtMs + scenario.holdMs - Date.now()))
  }

  #concerned(scenario: Scenario, before: Sample, target: string, neighbours: string[]): string[] {
    const id = (market: string) => `${this.#venue}:${market}`
    if (scenario.concerns === 'market') return [id(target)]
    if (scenario.concerns === 'connection') return [...new Set([target, ...neighbours])].map(id)
    // Of what concerns nobody, all must stay whole.
    return [...before.books.keys()].filter((key) => {
      return key.startsWith(`${this.#venue}:`) && before.books.get(key)?.status === 'active'
    })
  }

  /** Returns the busiest market that is whole and was no target yet. */
  async #target(before: Sample): Promise<string> {
    const open = (await this.#venues.versions(this.#venue))
      .filter(({ marketId, status, versions }) => {
        return (
          status === 'active' &&
          versions.length > 0 &&
          isWhole(before.books.get(`${this.#venue}:${marketId}`))
        )
      })
      .sort((a, b) => b.versions.length - a.versions.length)
    const target = open.find(({ marketId }) => !this.#used.has(marketId)) ?? open[0]
    if (target === undefined) throw new Error(`no market of ${this.#venue} is whole`)
    this.#used.add(target.marketId)
    return target.marketId
  }

  async #connectionOf(market: string): Promise<{ id: number; markets: string[] }> {
    const connections = await this.#venues.connections(this.#venue)
    return connections.find(({ markets }) => markets.includes(market)) ?? { id: 1, markets: [] }
  }

  async #do(act: Act, market: string, connection: number): Promise<string | null> {
    const venues = this.#venues
    if ('waitMs' in act) await sleep(act.waitMs)
    else if ('clear' in act) await venues.clearFault(this.#venue, act.clear)
    else if ('move' in act) await venues.move(this.#venue, market, act.move, act.body)
    else if ('list' in act) {
      const { id } = await venues.control<{ id: string }>('POST', `/markets/${this.#venue}`)
      return id
    } else {
      const place = act.at === 'market' ? { market } : act.at === 'connection' ? { connection } : {}
      await venues.setFault(this.#venue, act.fault, { ...place, ...act.with })
    }
    return null
  }

  async #clearFaults(scenario: Scenario): Promise<void> {
    for (const act of scenario.acts) if ('fault' in act) await this.#venues.clearFault(this.#venue, act.fault)
  }

  /** When the first fault of the scenario did something since it was switched on; acts that are no faults work at once. */
  async #firedAt(scenario: Scenario, setAtMs: number): Promise<number | null> {
    const faults = scenario.acts.flatMap((act) => ('fault' in act ? [act.fault] : []))
    if (faults.length === 0) return setAtMs
    const { firings } = await this.#venues.state()
    const times = faults.flatMap((fault) => {
      const firstMs = firings[`${this.#venue}:${fault}`]?.firstMs ?? null
      return firstMs === null ? [] : [Math.max(setAtMs, firstMs)]
    })
    return times.length > 0 ? Math.min(...times) : STATES_OF_THINGS.test(faults.join()) ? setAtMs : null
  }
}

/** Faults that are a state of the venue: they count as fired when they are switched on. */
const STATES_OF_THINGS = /rest_|clock_offset|wire_form|empty_side_notation|shuffle_answers|merged_subscribe/
const ALWAYS_GROWING =
  /^counter:(counters\.(frames|applied|seen\.element_)|connections\.messages|messagesPerSecond|rest\.requests)/
