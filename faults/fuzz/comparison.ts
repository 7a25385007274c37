import type { Twin } from './source.ts'

/** The scanner knows a complement by the end of its id, so a spoilt id may pass for it in this count, and only there. */
const NOT_COMPARED = new Set(['seen.element_unknown_market'])

/** Compares two ways of reading after every frame; a difference is told once, and what follows is measured from it. */
export class Comparison {
  readonly #twins: readonly [Twin, Twin]
  readonly #slots: number
  /** How much more the first has than the second, by what is counted, where they differ. */
  readonly #known = new Map<string, number>()

  constructor(twins: readonly [Twin, Twin], slots: number) {
    this.#twins = twins
    this.#slots = slots
  }

  /** Returns what is different now and was not before; empty when nothing is. */
  differences(): string[] {
    const [{ counters, table }, { counters: others, table: otherTable }] = this.#twins
    const found: string[] = []
    const compare = (name: string, one: number, other: number) => {
      const difference = one - other
      if (difference === (this.#known.get(name) ?? 0) || NOT_COMPARED.has(name)) return
      if (difference !== 0) found.push(`${name} ${difference > 0 ? '+' : ''}${difference}`)
      if (difference === 0) this.#known.delete(name)
      else this.#known.set(name, difference)
    }
    compare('applied', counters.applied, others.applied)
    for (const kind of ['ignored', 'seen'] as const) {
      const [counts, otherCounts] = [counters[kind], others[kind]]
      for (const [name, count] of counts) compare(`${kind}.${name}`, count, otherCounts.get(name) ?? 0)
      for (const [name, count] of otherCounts) if (!counts.has(name)) compare(`${kind}.${name}`, 0, count)
    }
    for (let slot = 0; slot < this.#slots; slot++) {
      const reasons = table.verdicts.reasons[slot] ?? 0
      compare(`verdict of ${slot}`, reasons, otherTable.verdicts.reasons[slot] ?? 0)
      compare(`version of ${slot}`, table.versions[slot] ?? 0, otherTable.versions[slot] ?? 0)
    }
    return found
  }
}
