import { createHash } from 'node:crypto'
import type { Market } from '../../schemas/market.ts'

/** Returns the shard of a market: that of its event, so that the markets of an event stay together. */
export function shardOf({ id, eventId }: Pick<Market, 'id' | 'eventId'>, shards: number): number {
  return hash(eventId ?? id) % shards
}

/**
 * Returns which member each shard falls to: the one whose hash with the shard is highest, so that a member that comes or
 * goes moves no shard between the others. Null where there are no members.
 */
export function fairShares(members: readonly string[], shards: number): (string | null)[] {
  return Array.from({ length: shards }, (_, shard) => {
    let best: string | null = null
    let bestWeight = -1
    for (const member of members) {
      const weight = weigh(`${member} ${shard}`)
      if (weight < bestWeight || (weight === bestWeight && best !== null && member > best)) continue
      best = member
      bestWeight = weight
    }
    return best
  })
}

/** FNV-1a, 32 bits: cheap, since every market of a discovery is asked for. */
function hash(text: string): number {
  let state = 0x811c9dc5
  for (let i = 0; i < text.length; i++) state = Math.imul(state ^ text.charCodeAt(i), 0x01000193)
  state ^= state >>> 16
  state = Math.imul(state, 0x85ebca6b)
  return (state ^ (state >>> 13)) >>> 0
}

/** The weights of one member must be as good as independent: its names differ in a few characters only. */
function weigh(text: string): number {
  return createHash('md5').update(text).digest().readUInt32LE(0)
}
