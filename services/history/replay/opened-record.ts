/** Returns the name of the connection that an `opened` record tells of; empty where it names none. */
export function nameOfOpened(text: string): string {
  const { name } = JSON.parse(text) as { name?: unknown }
  return typeof name === 'string' ? name : ''
}
