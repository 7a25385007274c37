import { execFileSync, spawnSync } from 'node:child_process'
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Test } from 'tap'
import { freePort } from '../faults/process.ts'

const VERSIONS = '/usr/lib/postgresql'
const OWNER = 'postgres'

/** What to give as `skip` for a test that stops a server: false where one can be made. */
export function withoutServerPrograms(): string | false {
  if (programs() === null) return `the programs of a PostgreSQL server are not in ${VERSIONS}`
  // The server refuses to run as root, and files can be given to another user by root only.
  if (process.getuid?.() === 0 && ownerIds() === null) return `there is no user ${OWNER} to run a server as`
  return false
}

/** A PostgreSQL server of a test's own, to be stopped and started; it is gone when the test ends. */
export class PrivatePostgres {
  readonly url: string
  private readonly folder: string
  private readonly options: string

  static async start(t: Test): Promise<PrivatePostgres> {
    const server = new PrivatePostgres(mkdtempSync(join(tmpdir(), 'crossbook-server-')), await freePort())
    t.teardown(() => server.remove())
    server.run('initdb', ['-D', server.data, '-U', OWNER, '-A', 'trust', '--no-sync'])
    server.start()
    return server
  }

  private constructor(folder: string, port: number) {
    const owner = ownerIds()
    if (owner !== null) chownSync(folder, owner.uid, owner.gid)
    this.folder = folder
    this.url = `postgres://${OWNER}@127.0.0.1:${port}/postgres`
    this.options = `-p ${port} -c listen_addresses=127.0.0.1 -c unix_socket_directories=${folder}`
  }

  start(): void {
    const log = join(this.folder, 'log')
    this.run('pg_ctl', ['start', '-w', '-D', this.data, '-l', log, '-o', this.options])
  }

  /** Without a word to its clients, and without writing anything out. */
  stop(): void {
    this.run('pg_ctl', ['stop', '-w', '-m', 'immediate', '-D', this.data])
  }

  private get data(): string {
    return join(this.folder, 'data')
  }

  private remove(): void {
    const args = ['stop', '-m', 'immediate', '-D', this.data]
    spawnSync(...this.command('pg_ctl', args), { stdio: 'ignore', cwd: this.folder })
    rmSync(this.folder, { recursive: true, force: true })
  }

  private run(program: string, args: readonly string[]): void {
    // The output of a server that stays would keep a pipe open.
    execFileSync(...this.command(program, args), { stdio: 'ignore', cwd: this.folder })
  }

  private command(program: string, args: readonly string[]): [string, string[]] {
    const path = join(programs() ?? '', program)
    const owner = ownerIds()
    if (owner === null) return [path, [...args]]
    const { uid, gid } = owner
    return ['setpriv', [`--reuid=${uid}`, `--regid=${gid}`, '--clear-groups', path, ...args]]
  }
}

function programs(): string | null {
  if (!existsSync(VERSIONS)) return null
  const folders = readdirSync(VERSIONS).map((version) => join(VERSIONS, version, 'bin'))
  return folders.find((folder) => existsSync(join(folder, 'initdb'))) ?? null
}

/** As whom to run a server in place of root; null where we are not root, or there is nobody. */
function ownerIds(): { uid: number; gid: number } | null {
  if (process.getuid?.() !== 0) return null
  const [uid, gid] = ['-u', '-g'].map((flag) => spawnSync('id', [flag, OWNER], { encoding: 'utf8' }).stdout)
  return uid && gid ? { uid: Number(uid), gid: Number(gid) } : null
}
