// What a benchmark's own process runs: the module that its first argument names.
import { register } from 'tsx/esm/api'

register()
await import(new URL(process.argv[2], import.meta.url).href)
