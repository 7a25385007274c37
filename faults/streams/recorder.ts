import type { StreamMessage } from '../../client/src/index.ts'

/** Follows every message of one subscription to books and holds it against the rule: each change once, in order. */
export class Recorder {
  /** Version of each market's book after the last change that came. */
  readonly versions = new Map<string, number>()
  changes = 0
  /** Whole books: those of the first state; after a resume there must be no more. */
  wholes = 0
  /** Changes that do not follow on the one before, as text. */
  readonly wrong: string[] = []

  readonly hear = (message: StreamMessage): void => {
    if (message.type !== 'snapshot' && message.type !== 'change') return
    for (const { id, version, previous } of message.books ?? []) {
      const held = this.versions.get(id)
      this.versions.set(id, version)
      if (previous === null) {
        this.wholes++
        continue
      }
      this.changes++
      if (previous !== held || version !== previous + 1)
        this.wrong.push(`${id}: change ${previous} to ${version} came upon ${held}`)
    }
  }
}
