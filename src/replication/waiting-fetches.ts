/** A fetch that waits for records of a partition; a link of the partition's list of them. */
export interface WaitingFetch {
  nextWaiting: WaitingFetch | null
  previousWaiting: WaitingFetch | null
  /** Look again. May leave the list. */
  onMoved(): void
}

/** The fetches that wait for records of one partition; to come and to go costs the same however many there are. */
export class WaitingFetches {
  #first: WaitingFetch | null = null

  get isEmpty(): boolean {
    return this.#first === null
  }

  add(fetch: WaitingFetch): void {
    fetch.previousWaiting = null
    fetch.nextWaiting = this.#first
    if (this.#first !== null) this.#first.previousWaiting = fetch
    this.#first = fetch
  }

  remove(fetch: WaitingFetch): void {
    if (fetch.previousWaiting !== null) fetch.previousWaiting.nextWaiting = fetch.nextWaiting
    else this.#first = fetch.nextWaiting
    if (fetch.nextWaiting !== null) fetch.nextWaiting.previousWaiting = fetch.previousWaiting
    fetch.nextWaiting = null
    fetch.previousWaiting = null
  }

  /** Lets all of them look again. */
  wake(): void {
    for (let fetch = this.#first; fetch !== null; ) {
      const next: WaitingFetch | null = fetch.nextWaiting
      fetch.onMoved()
      fetch = next
    }
  }
}
