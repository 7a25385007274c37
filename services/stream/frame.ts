/** One message of a topic, as the bytes that every subscriber gets. */
export class Frame {
  readonly seq: number
  /** One JSON object; not to be changed. */
  readonly bytes: Buffer
  private readonly topic: { readonly epoch: string; readonly messageType: string }
  /** The same as server-sent events, with and without an id; kept only while the frame is being delivered. */
  private events: [Buffer | null, Buffer | null] = [null, null]

  constructor(seq: number, bytes: Buffer, topic: Frame['topic']) {
    this.seq = seq
    this.bytes = bytes
    this.topic = topic
  }

  /** Returns it as a server-sent event; the id says where to resume. */
  event(withId: boolean): Buffer {
    const which = withId ? 1 : 0
    const { epoch, messageType } = this.topic
    const known = this.events[which]
    if (known !== null) return known
    const event = eventOf(messageType, this.bytes, withId ? `${epoch}-${this.seq}` : null)
    this.events[which] = event
    return event
  }

  delivered(): void {
    this.events = [null, null]
  }
}

/** Returns a message as a server-sent event: JSON has no line breaks of its own. */
export function eventOf(type: string, bytes: Buffer, id: string | null): Buffer {
  const head = id === null ? `event: ${type}\ndata: ` : `id: ${id}\nevent: ${type}\ndata: `
  return Buffer.concat([Buffer.from(head), bytes, END])
}

const END = Buffer.from('\n\n')
