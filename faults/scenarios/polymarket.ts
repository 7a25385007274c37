import { type Act, DISCOVERY_MS, type Draft, STIR } from '../scenario.ts'

/** What only Polymarket can do. */
export function polymarketOnly(): Draft[] {
  return [
    {
      name: 'match group',
      // A busy market trades by itself; a clean stretch with trades must raise nothing.
      acts: Array.from({ length: 40 }, (): Act => ({ move: 'act' })),
      concerns: 'nobody',
      holdMs: 4_000
    },
    {
      name: 'tick size change',
      acts: [{ move: 'tick', body: { tick: '0.001' } }, ...STIR],
      concerns: 'nobody',
      holdMs: 2_000
    },
    {
      name: 'empty side in other words',
      acts: [{ fault: 'empty_side_notation', with: { form: 'absent' } }, ...STIR],
      concerns: 'nobody',
      undo: [{ clear: 'empty_side_notation' }]
    },
    {
      name: 'market pauses and goes on',
      acts: [{ move: 'pause' }, { waitMs: DISCOVERY_MS + 4_000 }, { move: 'resume' }],
      alarms: ['state:halted'],
      detectMs: DISCOVERY_MS + 5_000,
      limitMs: DISCOVERY_MS + 5_000,
      holdMs: DISCOVERY_MS + 6_000
    },
    {
      name: "the venue's clock jumps",
      acts: [
        { fault: 'clock_offset', with: { ms: 3_600_000 } },
        { waitMs: 3_000 },
        { fault: 'clock_offset', with: { ms: -3_600_000 } }
      ],
      concerns: 'nobody',
      holdMs: 6_000,
      undo: [{ clear: 'clock_offset' }, { waitMs: 1_000 }]
    }
  ]
}
