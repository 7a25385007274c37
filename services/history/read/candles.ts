import type { Candle, CandleHistory } from '../../../schemas/history.ts'
import { CANDLE_INTERVALS, type CandleInterval, type TimeRange } from '../records.ts'
import { bodyTimes, candleBody } from './bodies.ts'
import { candleHoles } from './candle-holes.ts'
import type { HistoryReader } from './reader.ts'
import { readCoverage, readGaps, summaryOf } from './summary.ts'
import { pastPart, wholeCandles } from './time-range.ts'

/** Returns every candle of a range, also those of which nothing is recorded: a hole is never a candle left out. */
export async function readCandles(
  reader: HistoryReader,
  marketId: string,
  interval: CandleInterval,
  asked: TimeRange,
  nowMs: number
): Promise<CandleHistory> {
  const lengthMs = CANDLE_INTERVALS[interval]
  const range = wholeCandles(asked, interval, nowMs)
  const past = pastPart(range, nowMs)
  const [records, told, { covered }, gaps] = await Promise.all([
    reader.store.candles({ marketId, interval, ...range }),
    // Of a longer interval the venue was asked for the minutes of gaps only.
    interval === '1m' ? reader.store.venueCandles({ marketId, ...range }) : [],
    readCoverage(reader, marketId, past),
    readGaps(reader, marketId, past)
  ])
  const recordAt = new Map(records.map((record) => [record.fromMs, record]))
  const toldAt = new Map(told.map((candle) => [candle.fromMs, candle]))
  const thinned = records.filter((record) => record.thinned).map(({ fromMs }) => fromMs)
  const items = candleHoles(range, lengthMs, covered, gaps, nowMs, thinned).map((hole, index): Candle => {
    const fromMs = range.fromMs + index * lengthMs
    return candleBody(fromMs, fromMs + lengthMs, recordAt.get(fromMs), hole, toldAt.get(fromMs))
  })
  return {
    id: marketId,
    interval,
    ...bodyTimes(range),
    items,
    coverage: summaryOf(covered, gaps.length, past)
  }
}
