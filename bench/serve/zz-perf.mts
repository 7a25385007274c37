import { execFileSync, spawn } from 'node:child_process'
import { withWorld } from './world.ts'
const context = { quick:false, rounds:5, progress:(s:string)=>console.error(s) } as never
await withWorld(context, async (world) => {
  const g = await world.gateway('crossbook')
  const [first=''] = world.pages
  const raw = await world.raw(`http://127.0.0.1:${g.port}${first}`)
  await world.warm(g)
  const pidOf = (s:any) => (s.process as any).child.pid
  const run = async (name:string, s:any, paths:string[]) => {
    await world.saturate(s,{paths})
    const pid = pidOf(s)
    const p = spawn('perf',['record','-F','4000','-g','-o',`/tmp/perf-${name}.data','-p',String(pid),'--','sleep','4`.split(`'`)[0]!,'-p',String(pid),'--','sleep','4'],{stdio:'ignore'})
    const r = await world.saturate(s,{paths, ms: 5000} as never)
    await new Promise(r=>p.once('exit',r))
    console.log(name, r.microsPerRequest.toFixed(1), r.cores.toFixed(2))
  }
  await run('raw', raw, [first]); await run('again', g, [first]); await run('random', g, world.pages)
})
process.exit(0)
