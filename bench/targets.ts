import type { Target } from './figure.ts'

const atLeast = (value: number): Target => ({ by: 'ratio', relation: '>=', value })
const atMost = (value: number): Target => ({ by: 'ratio', relation: '<=', value })
const notBelow = (value: number): Target => ({ by: 'figure', relation: '>=', value })
const notAbove = (value: number): Target => ({ by: 'figure', relation: '<=', value })

/** JSON.stringify became twice as fast after Node 20, so the peer that lives by it did too. */
const nodeMajor = Number(process.versions.node.split('.')[0])
const onNode = (twenty: number, later: number) => (nodeMajor < 24 ? twenty : later)

/** What each figure must reach, as measured to be possible when the hot path was designed. */
export const TARGETS = {
  decodeKalshi: atLeast(1.4),
  decodeKalshiGeneric: atLeast(0.65),
  decodePolymarketBook: atLeast(3),
  decodePolymarketChange: atLeast(1.2),
  /** Share of a core. */
  paced: notAbove(0.12),
  bookUpdate: atMost(0.7),
  bookTop: atMost(0.05),
  /** Bytes. */
  memoryPerMarket: notAbove(1_600),
  heapPerMarket: notAbove(100),
  /** Megabytes. */
  memoryWhole: notAbove(900),
  /** Of the same with the proof off: what P1 and P2 leave. */
  proofsHashBudget: atMost(1.2),
  proofsEveryHash: atMost(25),
  proofsWatched: atMost(1.2),
  proofsAllWatched: atMost(1.4),
  streamTickerCpu: atMost(0.3),
  /** Milliseconds. */
  streamStall: notAbove(10),
  streamFlush: notAbove(15),
  streamLiveP50: notAbove(1),
  streamLiveP99: notAbove(10),
  /** Of the naive peer's. */
  streamCores: atMost(0.8),
  streamFrames: atMost(0.8),
  streamBytes: atMost(1.1),
  streamOneSlow: atMost(1.1),
  /** Megabytes. */
  streamStalledGrowth: notAbove(48),
  streamStalledAgainstNone: atMost(0.4),
  /** Kilobytes. */
  streamIdleClient: notAbove(16),
  pageAgain: atLeast(0.75),
  pageRandom: atLeast(0.45),
  peerIdentity: atLeast(onNode(10, 6)),
  peerGzip: atLeast(25),
  ticks: atMost(0.7),
  mixedRaw: atLeast(0.3),
  mixedPeer: atLeast(7),
  latencyClosed: atMost(1.75),
  latencyOpen: atMost(1.5),
  /** Milliseconds. */
  stall: notAbove(15),
  /** Seconds. */
  ndjsonTime: notAbove(1),
  /** Megabytes. */
  ndjsonGrowth: notAbove(32),
  /** Milliseconds. */
  ndjsonStall: notAbove(20),
  ndjsonAgainstBody: atMost(0.1),
  /** Rows a second. */
  historyRowsPostgres: notBelow(5_000),
  historyRowsPglite: notBelow(1_000),
  /** Milliseconds. */
  historyLag: notAbove(2_000),
  historyIngest: atLeast(0.9),
  /** Share of a core: what reads, books, records and serves has one. */
  historyBusyCores: notAbove(0.9),
  /** Far beyond any venue, on one core for all threads: to compress a million frames a second takes more than there is. */
  historyIngestFull: atLeast(0.9),
  historyP99: atMost(2),
  historyJournalKalshi: atMost(0.35),
  historyJournalPolymarket: atMost(0.5),
  /** Share of a core. */
  historyFileCores: notAbove(0.06),
  /** Milliseconds. */
  historyFileTurn: notAbove(2),
  historyWarmStart: notAbove(2_000),
  historyPage: notAbove(100),
  historyLongPage: notAbove(250),
  historyCandles: notAbove(250),
  historyBusyCandles: notAbove(1_000),
  historyAsOf: notAbove(250)
} as const satisfies Record<string, Target>
