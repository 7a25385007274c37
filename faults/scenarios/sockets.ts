import { CONNECTION_LIMIT, type Draft, RECONNECTED, STIR } from '../scenario.ts'

const OFFLINE = { limitMs: CONNECTION_LIMIT, detectMs: CONNECTION_LIMIT, mayReconnect: true }

/** Connections that end, fall silent or begin badly. */
export function socketFaults(): Draft[] {
  return [
    {
      name: 'socket cut',
      acts: [{ fault: 'cut_socket', at: 'connection' }],
      ...OFFLINE,
      concerns: 'connection',
      alarms: RECONNECTED
    },
    {
      name: 'socket closed by the venue',
      acts: [{ fault: 'close_socket', at: 'connection' }],
      ...OFFLINE,
      concerns: 'connection',
      alarms: RECONNECTED
    },
    {
      name: 'half-open socket',
      acts: [{ fault: 'half_open', at: 'connection' }, ...STIR],
      ...OFFLINE,
      concerns: 'connection',
      alarms: RECONNECTED,
      withholds: 'half_open'
    },
    {
      name: 'pings answered, nothing sent',
      acts: [{ fault: 'mute_connection', at: 'connection' }, ...STIR],
      ...OFFLINE,
      concerns: 'connection',
      alarms: [...RECONNECTED, 'reason:silent', 'incident:silent_connection', 'reason:audit_mismatch'],
      recoverMs: 30_000,
      withholds: 'mute_connection'
    },
    {
      name: 'deltas before a snapshot',
      acts: [
        { fault: 'delta_before_snapshot', with: { count: 8, ms: 800 } },
        { fault: 'close_socket', at: 'connection' }
      ],
      ...OFFLINE,
      concerns: 'connection',
      alarms: RECONNECTED
    },
    {
      name: 'no snapshot',
      acts: [
        { fault: 'no_snapshot', with: { count: 4 } },
        { fault: 'close_socket', at: 'connection' }
      ],
      ...OFFLINE,
      concerns: 'connection',
      alarms: ['reason:awaiting_snapshot'],
      recoverMs: 25_000
    }
  ]
}
