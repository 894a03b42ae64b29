/** More than any index file has. */
const pagesPerOwner = 0x40_0000

/** Fills `target` from `position` of the file on. */
export type PageReader = (target: Buffer, position: number) => void

/**
 * Pages of index files that were read lately, for all logs of a directory: lookups of sequential readers hit the same
 * page for hundreds of batches, and a log that nobody reads costs nothing.
 */
export class PageCache {
  readonly #pagesMax: number
  readonly #pages = new Map<number, Buffer>()
  #nextOwner = 0

  constructor(pagesMax: number) {
    this.#pagesMax = pagesMax
  }

  /**
   * A number that no other owner of pages has. An owner whose file changed takes a new one: the old pages fade away.
   */
  newOwner(): number {
    return (this.#nextOwner += 1)
  }

  /**
   * A page of an owner's file if it is here with at least `bytes` bytes: it may have been read when the file was
   * shorter. True until the next call.
   */
  peek(owner: number, page: number, bytes: number): Buffer | null {
    const cached = this.#pages.get(owner * pagesPerOwner + page)
    return cached !== undefined && cached.length >= bytes ? cached : null
  }

  /** Reads a page of `bytes` bytes that begins at `position` of the file. True until the next call. */
  load(owner: number, page: number, position: number, bytes: number, read: PageReader): Buffer {
    const key = owner * pagesPerOwner + page
    this.#pages.delete(key)
    const fresh = this.#take(bytes)
    read(fresh, position)
    this.#pages.set(key, fresh)
    return fresh
  }

  /** A buffer for a new page: that of the page that has been here longest, when the cache is full. */
  #take(bytes: number): Buffer {
    if (this.#pages.size >= this.#pagesMax) {
      const [key, page] = this.#pages.entries().next().value!
      this.#pages.delete(key)
      if (page.length === bytes) return page
    }
    return Buffer.allocUnsafeSlow(bytes)
  }
}
