#!/usr/bin/env node
// In a checkout the sources run as they are; in an installed package there is only dist.
import { existsSync } from 'node:fs'

const source = new URL('../cli/main.ts', import.meta.url)
if (existsSync(source)) {
  const { register } = await import('tsx/esm/api')
  register()
  await import(source.href)
} else await import('../dist/crossbook.mjs')
