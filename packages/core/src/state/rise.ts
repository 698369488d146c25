/**
 * The positions of a longest rising subsequence of `values`, last first: what can stay in place while the
 * rest moves. Patience sorting (Fredman 1975), n log n.
 */
export function longestRise(values: readonly number[]): number[] {
  /** At `i` the position of the smallest value that ends a rise of length i + 1. */
  const ends: number[] = []
  const before: number[] = []
  values.forEach((value, position) => {
    let low = 0
    let high = ends.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((values[ends[middle] ?? 0] ?? 0) < value) low = middle + 1
      else high = middle
    }
    before.push(ends[low - 1] ?? -1)
    ends[low] = position
  })
  const rise: number[] = []
  for (let position = ends.at(-1) ?? -1; position >= 0; position = before[position] ?? -1) rise.push(position)
  return rise
}
