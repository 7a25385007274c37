import { setTimeout as sleep } from 'node:timers/promises'
import { connect, type StreamClient } from '../../client/src/index.ts'
import { ChangingGateway } from './changing-gateway.ts'
import { Recorder } from './recorder.ts'
import { SeverableLine } from './severable.ts'

export interface CutsPlan {
  clients: number
  cutsPerClient: number
  cutMs: number
  markets: number
  changesPerSecond: number
}

export interface CutsResult {
  /** Times that a client went on where it had been, and that it had to begin anew. */
  resumed: number
  restarted: number
  /** Changes made, those that all clients together should have been told, and those that they were. */
  made: number
  due: number
  told: number
  duplicates: number
  missing: number
  /** Changes that do not follow on the one before, and books that differ from the gateway's at the end. */
  wrong: string[]
  /** Longest time from the mending of a line until its client had everything. */
  caughtUpMaxMs: number
}

const CATCH_UP_MAX_MS = 60_000
const LOOK_MS = 5

/** Cuts the lines of clients of one gateway again and again while its books change, and says what they were told. */
export async function runCuts(plan: CutsPlan, note: (line: string) => void = () => {}): Promise<CutsResult> {
  const gateway = await ChangingGateway.start(plan.markets)
  const followers: Follower[] = []
  try {
    for (let n = 0; n < plan.clients; n++) followers.push(await Follower.start(gateway))
    await Promise.all(
      followers.map((follower) => until(() => follower.isWhole, 'a client has its first state'))
    )
    const due = followers.map(({ recorder }) => -sum(recorder.versions.values()))
    gateway.run(plan.changesPerSecond)
    // Not all at once: each line breaks while others are whole.
    const spreadMs = plan.cutMs / plan.clients
    const times = await Promise.all(
      followers.map(async (follower, n) => {
        await sleep(n * spreadMs)
        return follower.suffer(plan, (cut) => note(`client ${n + 1}: cut ${cut} is made good`))
      })
    )
    gateway.pause()
    await Promise.all(followers.map((follower) => until(() => follower.isLevel, 'a client has all changes')))
    const versions = gateway.records.map((record) => gateway.versionOf(record))
    const statistics = followers.map(({ client }) => client.statistics)
    return {
      resumed: sum(statistics.map(({ resumed }) => resumed)),
      restarted: sum(statistics.map(({ restarted }) => restarted)),
      made: gateway.changes,
      due: sum(due) + plan.clients * sum(versions),
      told: sum(followers.map(({ recorder }) => recorder.changes)),
      duplicates: sum(statistics.map(({ duplicates }) => duplicates)),
      missing: sum(statistics.map(({ missing }) => missing)),
      wrong: followers.flatMap((follower) => [...follower.recorder.wrong, ...follower.differences()]),
      caughtUpMaxMs: Math.max(...times)
    }
  } finally {
    for (const follower of followers) await follower.stop()
    await gateway.close()
  }
}

/** One client on a line of its own. */
class Follower {
  readonly client: StreamClient
  readonly recorder: Recorder
  private readonly gateway: ChangingGateway
  private readonly line: SeverableLine
  /** What its iterator handed over last, as JSON, by market. */
  private readonly handed = new Map<string, string>()

  private constructor(gateway: ChangingGateway, line: SeverableLine) {
    this.gateway = gateway
    this.line = line
    this.recorder = new Recorder()
    const { hear: onMessage } = this.recorder
    this.client = connect(`http://127.0.0.1:${line.port}`, { onMessage, retryMinMs: 20, retryMaxMs: 200 })
    void this.read()
  }

  static async start(gateway: ChangingGateway): Promise<Follower> {
    return new Follower(gateway, await SeverableLine.to(gateway.port))
  }

  get isWhole(): boolean {
    return this.handed.size === this.gateway.records.length
  }

  /** It was told the newest version of every book, and has handed it over. */
  get isLevel(): boolean {
    return this.differences().length === 0
  }

  /** Loses its connection as often as planned; returns the longest time that it took to make up for it. */
  async suffer({ cutsPerClient, cutMs }: CutsPlan, note: (cut: number) => void): Promise<number> {
    let longestMs = 0
    for (let cut = 1; cut <= cutsPerClient; cut++) {
      this.line.cut()
      await sleep(cutMs)
      const versions = this.gateway.records.map((record) => this.gateway.versionOf(record))
      this.line.mend()
      const mendedMs = performance.now()
      await until(() => this.hasSeen(versions), 'a client has what it missed')
      longestMs = Math.max(longestMs, performance.now() - mendedMs)
      note(cut)
    }
    return longestMs
  }

  /** Returns the markets whose handed book is not the gateway's. */
  differences(): string[] {
    return this.gateway.records
      .filter((record) => this.handed.get(record.id) !== JSON.stringify(this.gateway.bookOf(record)))
      .map(({ id }) => `${id}: the book handed over differs`)
  }

  async stop(): Promise<void> {
    this.client.close()
    await this.line.close()
  }

  private hasSeen(versions: readonly number[]): boolean {
    return this.gateway.records.every(
      ({ id }, n) => (this.recorder.versions.get(id) ?? 0) >= (versions[n] as number)
    )
  }

  private async read(): Promise<void> {
    for await (const { id, value, isCurrent } of this.client.books(this.gateway.ids))
      if (isCurrent) this.handed.set(id, JSON.stringify(value))
  }
}

async function until(isSo: () => boolean, what: string): Promise<void> {
  const endMs = performance.now() + CATCH_UP_MAX_MS
  while (!isSo()) {
    if (performance.now() > endMs) throw new Error(`waited in vain until ${what}`)
    await sleep(LOOK_MS)
  }
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}
