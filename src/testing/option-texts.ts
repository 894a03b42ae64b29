/**
 * Options as they stand in server.properties. Throws TypeError for what is no string, of callers whom no compiler told.
 */
export function optionTexts(options: Readonly<Record<string, string>> = {}): readonly (readonly [string, string])[] {
  const entries: [string, unknown][] = Object.entries(options)
  for (const [name, value] of entries) {
    if (typeof value === 'string') continue
    throw new TypeError(`options: ${name} is the ${typeof value} ${value}; allowed are strings, as '${value}'`)
  }
  return entries as [string, string][]
}
