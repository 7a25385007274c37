import type { RestHostStatus, RestStatus } from './port.ts'

/** Returns what the hosts of one venue come to together. */
export function restStatus(hosts: RestHostStatus[]): RestStatus {
  const sum = (name: 'requests' | 'failures' | 'retries') =>
    hosts.reduce((total, host) => total + host[name], 0)
  return {
    requests: sum('requests'),
    failures: sum('failures'),
    retries: sum('retries'),
    lastError: hosts.find(({ lastError }) => lastError !== null)?.lastError ?? null,
    hosts
  }
}
