// The benchmarks run from the sources as they are: tsx only strips their types.
import { register } from 'tsx/esm/api'

register()
await import('./main.ts')
