/** Random choices that are the same for the same seed. */
export interface Random {
  /** A whole number from `min` on, below `max`. */
  whole(min: number, max: number): number
  pick<T>(items: readonly T[]): T
  /** The items in another order. */
  shuffled<T>(items: readonly T[]): readonly T[]
}

/** Random choices from a seed: mulberry32, https://gist.github.com/tommyettinger/46a874533244883189143505d203312c */
export function randomFrom(seed: number): Random {
  let state = seed >>> 0
  const fraction = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const whole: Random['whole'] = (min, max) => min + Math.floor(fraction() * (max - min))
  return {
    whole,
    pick<T>(items: readonly T[]): T {
      const item = items[whole(0, items.length)]
      if (item === undefined) throw new Error('there is nothing to pick from')
      return item
    },
    shuffled: (items) =>
      items
        .map((item) => ({ item, order: fraction() }))
        .sort((a, b) => a.order - b.order)
        .map(({ item }) => item),
  }
}
