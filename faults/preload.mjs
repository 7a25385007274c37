// Loaded into the processes under test: lets the one who started them move the clock and ask for the memory.
import { createRequire, syncBuiltinESMExports } from 'node:module'

const require = createRequire(import.meta.url)
const RealDate = globalThis.Date
const realSteady = performance.now.bind(performance)
const startedAtMs = RealDate.now() - realSteady()

let speed = 1
/** Milliseconds that the wall clock is off. */
let offsetMs = 0
/** Where both clocks stood when the speed was last set. */
let realBase = 0
let steadyBase = 0

const steadyNow = () => steadyBase + (realSteady() - realBase) * speed
const wallNow = () => Math.floor(startedAtMs + steadyNow() + offsetMs)

Object.defineProperty(performance, 'now', { value: steadyNow, configurable: true, writable: true })
class MovedDate extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(wallNow())
    else super(...parts)
  }

  static now() {
    return wallNow()
  }
}
Object.defineProperty(MovedDate, 'name', { value: 'Date' })
globalThis.Date = MovedDate

const timers = require('node:timers')
const promised = require('node:timers/promises')
for (const name of ['setTimeout', 'setInterval']) {
  const real = globalThis[name]
  const paced = (run, ms = 1, ...rest) => real(run, ms / speed, ...rest)
  for (const key of Object.getOwnPropertySymbols(real)) paced[key] = real[key]
  globalThis[name] = paced
  timers[name] = paced
  const realPromise = promised[name]
  promised[name] = (ms = 1, ...rest) => realPromise(ms / speed, ...rest)
}
syncBuiltinESMExports()

process.on('message', (message) => {
  if (message.speed !== undefined) {
    steadyBase = steadyNow()
    realBase = realSteady()
    speed = message.speed
  }
  if (message.offsetMs !== undefined) offsetMs = message.offsetMs
  globalThis.gc?.()
  process.send?.({ id: message.id, memory: process.memoryUsage() })
})
// Our end of the line must not keep a process up that wants to end.
process.channel?.unref()
