import { StringDecoder } from 'node:string_decoder'

/** A line that is longer is cut in two, so that nothing is kept without end. */
const LINE_CHARS_MAX = 65536

/** Puts a prefix before each line of what a process writes, in whatever pieces it arrives. */
export class PrefixedLines {
  readonly #prefix: string
  readonly #decoder = new StringDecoder('utf8')
  #rest = ''

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  /** The lines that are complete with this piece, each with its prefix and its end; '' if there is none. */
  push(piece: Uint8Array): string {
    return this.#take(this.#decoder.write(Buffer.from(piece.buffer, piece.byteOffset, piece.byteLength)))
  }

  /** What is left at the end, as a line. */
  end(): string {
    const whole = this.#take(this.#decoder.end())
    const rest = this.#rest === '' ? '' : this.#line(this.#rest)
    this.#rest = ''
    return whole + rest
  }

  #take(text: string): string {
    const lines = (this.#rest + text).split('\n')
    this.#rest = lines.pop()!
    while (this.#rest.length > LINE_CHARS_MAX) {
      lines.push(this.#rest.slice(0, LINE_CHARS_MAX))
      this.#rest = this.#rest.slice(LINE_CHARS_MAX)
    }
    return lines.map(line => this.#line(line)).join('')
  }

  #line(line: string): string {
    return `${this.#prefix}${line.endsWith('\r') ? line.slice(0, -1) : line}\n`
  }
}
