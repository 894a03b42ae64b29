/** How often each fault and each rare path really happened. */
export class Coverage {
  readonly counts = new Map<string, number>()

  count(what: string, times = 1): void {
    this.counts.set(what, (this.counts.get(what) ?? 0) + times)
  }

  add(other: Coverage): void {
    for (const [what, times] of other.counts) this.count(what, times)
  }

  lines(): string[] {
    const names = [...this.counts.keys()].sort()
    return names.map(name => `  ${String(this.counts.get(name)).padStart(9)}  ${name}`)
  }
}
