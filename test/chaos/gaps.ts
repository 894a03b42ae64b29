/** Shorter pauses between acknowledgements are how it goes, ms. */
const GAP_MS_MIN = 40

interface Track {
  last: number
  readonly gaps: { readonly from: number; readonly to: number }[]
}

/** Remembers when writers were acknowledged nothing. */
export class GapMeter {
  readonly #tracks = new Map<string, Track>()

  acknowledged(writer: string, at: number): void {
    const track = this.#tracks.get(writer)
    if (track === undefined) {
      this.#tracks.set(writer, { last: at, gaps: [] })
      return
    }
    if (at - track.last >= GAP_MS_MIN) track.gaps.push({ from: track.last, to: at })
    track.last = at
  }

  lastOf(writer: string): number {
    return this.#tracks.get(writer)?.last ?? -1
  }

  /** The longest time without an acknowledgement that touches [from, to], of one of the writers; in ms. */
  longest(writers: Iterable<string>, from: number, to: number): number {
    let longest = 0
    for (const writer of writers) {
      const track = this.#tracks.get(writer)
      if (track === undefined) continue
      for (const gap of track.gaps) {
        if (gap.to >= from && gap.from <= to) longest = Math.max(longest, gap.to - gap.from)
      }
      if (track.last <= to) longest = Math.max(longest, to - track.last)
    }
    return longest
  }
}
