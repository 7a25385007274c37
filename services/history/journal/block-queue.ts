import { RecordBlock } from './record-block.ts'

/** Buffers kept for the next blocks: enough for the pace of a busy hour, few enough after a backlog. */
const FREE_BUFFERS_MAX = 8

/** The block that is being filled, and those that wait for the disk, oldest first: never more than a given number. */
export class BlockQueue {
  /** What is being filled. */
  current: RecordBlock
  /** Raw bytes that wait, without those of `current`. */
  waitingBytes = 0
  private readonly blockBytes: number
  private readonly blocksMax: number
  private readonly waiting: RecordBlock[] = []
  private readonly free: Buffer[] = []
  private nextSerial = 0
  private handedOverSerial = -1

  constructor(blockBytes: number, blocksMax: number) {
    this.blockBytes = blockBytes
    this.blocksMax = blocksMax
    this.current = this.begin(blockBytes)
  }

  get oldest(): RecordBlock | undefined {
    return this.waiting[0]
  }

  /** Nothing waits for the disk. */
  get isIdle(): boolean {
    return this.waiting.length === 0
  }

  /** There is no record in it at all. */
  get isEmpty(): boolean {
    return this.isIdle && this.current.records === 0
  }

  /** At most half of what may wait does: it is worth going on. */
  get isRelieved(): boolean {
    return this.waiting.length <= this.blocksMax / 2 && this.waitingBytes <= this.bytesMax / 2
  }

  /** Serial of the last block that holds something. */
  get lastSerial(): number {
    return this.current.records === 0 ? this.handedOverSerial : this.current.serial
  }

  /** Lets the current block wait for the disk and begins another; returns false if too many wait already. */
  handOver(): boolean {
    if (this.current.records === 0) return true
    if (this.waiting.length >= this.blocksMax || this.waitingBytes >= this.bytesMax) return false
    this.waiting.push(this.current)
    this.handedOverSerial = this.current.serial
    this.waitingBytes += this.current.length
    this.current = this.begin(this.blockBytes)
    return true
  }

  /** Makes sure that the current block, which is empty, can hold a record of that many bytes. */
  fit(bytes: number): void {
    if (bytes <= this.current.capacity) return
    this.keep(this.current.buffer)
    this.current = this.begin(bytes)
  }

  /** Forgets the oldest waiting block; its buffer serves again. */
  release(): void {
    const block = this.waiting.shift()
    if (block === undefined) return
    this.waitingBytes -= block.length
    this.keep(block.buffer)
  }

  /** Takes out everything, to be given up. The buffers are not used again: one may still be read. */
  takeAll(): RecordBlock[] {
    this.handedOverSerial = this.lastSerial
    const blocks = [...this.waiting.splice(0), this.current].filter(({ records }) => records > 0)
    this.waitingBytes = 0
    this.current = this.begin(this.blockBytes)
    return blocks
  }

  /** A few bodies that are larger than a block must not multiply the memory. */
  private get bytesMax(): number {
    return this.blocksMax * this.blockBytes
  }

  private begin(bytes: number): RecordBlock {
    const kept = bytes === this.blockBytes ? this.free.pop() : undefined
    return new RecordBlock(this.nextSerial++, kept ?? Buffer.allocUnsafeSlow(bytes))
  }

  private keep(buffer: Buffer): void {
    if (buffer.length === this.blockBytes && this.free.length < FREE_BUFFERS_MAX) this.free.push(buffer)
  }
}
