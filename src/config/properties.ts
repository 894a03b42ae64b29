/** Properties as they stand in a file: `java.util.Properties` is the format. */
export type PropertiesFile =
  | {
      readonly ok: true
      /** Later lines win. */
      readonly properties: ReadonlyMap<string, string>
      /** The line, from 1, on which each of them begins. */
      readonly lines: ReadonlyMap<string, number>
      /** One line for each name that stands there again. */
      readonly warnings: readonly string[]
    }
  | {
      readonly ok: false
      /** One line for each mistake: file, line, and what is allowed there. */
      readonly problems: readonly string[]
    }

/** A line with those that a backslash at its end joins to it, and the number of the first. */
interface LogicalLine {
  readonly text: string
  readonly line: number
}

const BLANKS = ' \t\f'

function skipBlanks(text: string, from: number): number {
  let at = from
  while (at < text.length && BLANKS.includes(text[at] as string)) at++
  return at
}

function endsInContinuation(text: string): boolean {
  let backslashes = 0
  while (backslashes < text.length && text[text.length - 1 - backslashes] === '\\') backslashes++
  return backslashes % 2 === 1
}

function logicalLines(text: string): readonly LogicalLine[] {
  const result: LogicalLine[] = []
  let joined = ''
  let firstLine = 0
  for (const [index, natural] of text.split(/\r\n|\n|\r/).entries()) {
    const content = natural.slice(skipBlanks(natural, 0))
    const continues = joined !== ''
    if (!continues && (content === '' || content.startsWith('#') || content.startsWith('!'))) continue
    if (!continues) firstLine = index + 1
    joined += content
    if (endsInContinuation(content)) {
      joined = joined.slice(0, -1)
      continue
    }
    result.push({ text: joined, line: firstLine })
    joined = ''
    firstLine = 0
  }
  if (firstLine > 0 && joined !== '') result.push({ text: joined, line: firstLine })
  return result
}

/** Where the name ends: at the first blank, `=` or `:` without a backslash before it. */
function endOfName(text: string): number {
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (character === '\\') at++
    else if (character === '=' || character === ':' || BLANKS.includes(character)) return at
  }
  return text.length
}

/** Where the value begins: after blanks, at most one `=` or `:`, and blanks. */
function startOfValue(text: string, endOfNameAt: number): number {
  const at = skipBlanks(text, endOfNameAt)
  return text[at] === '=' || text[at] === ':' ? skipBlanks(text, at + 1) : at
}

const ESCAPES: Readonly<Record<string, string>> = { t: '\t', n: '\n', r: '\r', f: '\f' }

/** Resolves backslashes; null where `\u` is not followed by four hexadecimal digits. */
function unescapeText(text: string): string | null {
  if (!text.includes('\\')) return text
  let result = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    if (character !== '\\') {
      result += character
      continue
    }
    const escaped = text[++at] ?? ''
    if (escaped !== 'u') {
      result += ESCAPES[escaped] ?? escaped
      continue
    }
    const digits = text.slice(at + 1, at + 5)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) return null
    result += String.fromCharCode(Number.parseInt(digits, 16))
    at += 4
  }
  return result
}

/** Reads the text of a properties file; `fileName` is for messages. */
export function parseProperties(text: string, fileName: string): PropertiesFile {
  const properties = new Map<string, string>()
  const lines = new Map<string, number>()
  const problems: string[] = []
  const warnings: string[] = []
  // As one line of nothing that anybody knows it would be passed over.
  if (text.includes('\0')) {
    return { ok: false, problems: [`${fileName}: has bytes of 0, as UTF-16 has them; save the file as UTF-8`] }
  }
  for (const { text: content, line } of logicalLines(text.startsWith('\ufeff') ? text.slice(1) : text)) {
    const nameEnd = endOfName(content)
    const name = unescapeText(content.slice(0, nameEnd))
    const value = unescapeText(content.slice(startOfValue(content, nameEnd)))
    if (name === null || value === null) {
      problems.push(`${fileName}:${line}: ${shown(content)}: four hexadecimal digits must follow \\u`)
    } else if (name === '') {
      problems.push(`${fileName}:${line}: ${shown(content)}: a name must stand before ${content[0]}; write name=value`)
    } else {
      const earlier = lines.get(name)
      if (earlier !== undefined) warnings.push(`${fileName}:${line}: ${name} counts; that of line ${earlier} does not`)
      properties.set(name, value)
      lines.set(name, line)
    }
  }
  return problems.length === 0 ? { ok: true, properties, lines, warnings } : { ok: false, problems }
}

/** Enough of a line to find it. */
function shown(content: string): string {
  return content.length <= 60 ? content : `${content.slice(0, 60)}...`
}

/** Writes properties so that `parseProperties` and Java read the same back. Comments stand at the top. */
export function renderProperties(properties: Iterable<readonly [string, string]>, comments: readonly string[]): string {
  const lines = comments.map(comment => `#${comment}`)
  for (const [name, value] of properties) lines.push(`${escapeText(name, true)}=${escapeText(value, false)}`)
  return `${lines.join('\n')}\n`
}

const ESCAPED: Readonly<Record<string, string>> = { '\t': '\\t', '\n': '\\n', '\r': '\\r', '\f': '\\f' }

function escapeText(text: string, isName: boolean): string {
  let result = ''
  for (let at = 0; at < text.length; at++) {
    const character = text[at] as string
    const code = text.charCodeAt(at)
    if (character === ' ') result += isName || at === 0 ? '\\ ' : ' '
    else if (ESCAPED[character] !== undefined) result += ESCAPED[character]
    else if ('\\=:#!'.includes(character)) result += `\\${character}`
    else if (code < 0x20 || code > 0x7e) result += `\\u${code.toString(16).toUpperCase().padStart(4, '0')}`
    else result += character
  }
  return result
}
