/** The right to write a shard, until it expires in Redis or is given back. */
export interface Lease {
  shard: number
  epoch: number
  /** As Redis keeps it: a write shows it. */
  text: string
}

export function leaseOf(shard: number, epoch: number, member: string): Lease {
  return { shard, epoch, text: `${epoch} ${member}` }
}
