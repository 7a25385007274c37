/** What a process that `BenchProcess` started was told at its start. */
export function startOptions<Options>(): Options {
  return JSON.parse(process.argv[3] ?? '{}') as Options
}

/** Answers every question of the process that started this one, and ends with it. */
export function answer(reply: (question: Record<string, unknown>) => unknown): void {
  process.on('disconnect', () => process.exit())
  process.on('message', async (question: Record<string, unknown>) => {
    try {
      process.send?.({ answer: Object.keys(question).length === 0 ? null : await reply(question) })
    } catch (error) {
      process.send?.({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) })
    }
  })
}
