import { type Judgement, judge, type Trial } from '../judge.ts'
import type { Row } from '../lane.ts'
import type { Sample } from '../sample.ts'
import { VENUES } from '../venues.ts'

/** What a run in processes of its own found. */
export type Outcome = Omit<Row, 'name' | 'venue' | 'tookMs'>

/**
 * Judges something that must disturb nobody, on both venues together. No connection of theirs breaks, so that each
 * message that was lost is one too many; `messagesLost` is null where it could not be counted.
 */
export function undisturbed(
  before: Sample,
  samples: Sample[],
  messagesLost: number | null,
  more: string[] = []
): Outcome {
  const judgements = VENUES.map((venue) => {
    const concerned = new Set([...before.books.keys()].filter((id) => id.startsWith(`${venue}:`)))
    const trial: Trial = {
      venue,
      concerned,
      alarms: [],
      isHarmless: true,
      mayReconnect: false,
      limitMs: 750,
      detectMs: 0,
      before,
      firedAtMs: before.atMs,
      samples: samples.filter(({ atMs }) => atMs > before.atMs),
      messagesLost: null
    }
    return judge(trial)
  })
  const [first, second] = judgements as [Judgement, Judgement]
  const lost = messagesLost === null || messagesLost === 0 ? [] : [`${messagesLost} messages were lost`]
  const sum = (count: (one: Judgement) => number) => count(first) + count(second)
  return {
    detected: null,
    wrongLive: {
      books: sum(({ wrongLive }) => wrongLive.books),
      marketMs: sum(({ wrongLive }) => wrongLive.marketMs),
      longestMs: Math.max(first.wrongLive.longestMs, second.wrongLive.longestMs)
    },
    recoveredMs: first.recoveredMs === null ? null : second.recoveredMs,
    messagesLost,
    falseAlarms: {
      books: sum(({ falseAlarms }) => falseAlarms.books),
      reconnects: sum(({ falseAlarms }) => falseAlarms.reconnects),
      example: first.falseAlarms.example ?? second.falseAlarms.example
    },
    failures: [...first.failures, ...second.failures, ...lost, ...more],
    limitMs: 750,
    signs: []
  }
}
