/**
 * Lists that were made from others, and how many items at their beginning are the same. Both must never change. The
 * other is held weakly: each list would else keep all that came before it.
 */
const made = new WeakMap<object, { readonly from: WeakRef<object>; readonly items: number }>()

/** Notes that `list` begins with the first `items` items of `from`. What was noted of it before does not hold any more. */
export function beginsLike(list: object, from: object, items: number): void {
  made.set(list, { from: new WeakRef(from), items })
}

/** How many items at the beginning of `list` are known to be those of `from`; 0 when nothing is known. */
export function knownAlike(list: object, from: object): number {
  const known = made.get(list)
  return known?.from.deref() === from ? known.items : 0
}
