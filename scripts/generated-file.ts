import { readFile, writeFile } from 'node:fs/promises'

/** Writes `<name>.yaml`; with --check on the command line it only fails when the file holds anything else. */
export async function writeOrCheck(name: string, text: string, source: string): Promise<void> {
  const file = new URL(`../${name}.yaml`, import.meta.url)
  if (!process.argv.includes('--check')) {
    await writeFile(file, text)
    return
  }
  if ((await readFile(file, 'utf8').catch(() => '')) === text) return
  console.error(`${name}.yaml is not what ${source}: run npm run ${name}`)
  process.exitCode = 1
}
