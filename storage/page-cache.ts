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
   * The page number `page` of an owner's file, which begins at `position` and has `bytes` bytes now, if they are
   * read. A page that was read when the file was shorter will do as long as it has the first `needed` bytes. True
   * until the next call.
   */
  get(owner: number, page: number, position: number, bytes: number, needed: number, read: PageReader): Buffer {
    const key = owner * 0x40_0000 + page
    const cached = this.#pages.get(key)
    if (cached !== undefined) {
      this.#pages.delete(key)
      if (cached.length >= needed) {
        this.#pages.set(key, cached)
        return cached
      }
    }
    const fresh = this.#take(bytes)
    read(fresh, position)
    this.#pages.set(key, fresh)
    return fresh
  }

  /** A buffer for a new page: that of the page used least lately, when the cache is full. */
  #take(bytes: number): Buffer {
    if (this.#pages.size >= this.#pagesMax) {
      const [key, page] = this.#pages.entries().next().value!
      this.#pages.delete(key)
      if (page.length === bytes) return page
    }
    return Buffer.allocUnsafeSlow(bytes)
  }
}
