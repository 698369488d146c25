/** A copy of stored lines in which one line has a byte changed: its first, or the one in its middle. */
export function flipByte(
  bytes: Uint8Array,
  [begin, end]: readonly [number, number],
  where: 'first' | 'middle',
): Uint8Array<ArrayBuffer> {
  const at = where === 'first' ? begin : Math.floor((begin + end) / 2)
  const flipped = bytes.slice()
  flipped[at] = (bytes[at] as number) ^ 4
  return flipped
}

/** Where a line begins and ends, of lines that each end with a line feed. */
export function placeOfLine(bytes: Uint8Array, index: number): readonly [number, number] {
  let begin = 0
  for (let count = 0; count < index; count += 1) begin = bytes.indexOf(10, begin) + 1
  return [begin, bytes.indexOf(10, begin)]
}
