/** English-like text: words of a vocabulary of 2,000, chosen by a fixed sequence. */
export function textOf(number: number, chars: number): string {
  let seed = number + 1
  const words: string[] = []
  for (let length = 0; length < chars;) {
    seed = (Math.imul(seed, 1_103_515_245) + 12_345) >>> 0
    const word = vocabulary[(seed >>> 8) % vocabulary.length] as string
    words.push(word)
    length += word.length + 1
  }
  return words.join(' ').slice(0, chars)
}

const vocabulary = Array.from({ length: 2_000 }, (_, index) => {
  const letters = 'etaoinshrdlucmfwypvbgkqjxz'
  let rest = Math.imul(index + 7, 2_654_435_761) >>> 0
  return Array.from({ length: 2 + (index % 9) }, () => {
    const letter = letters[Math.floor((((rest = Math.imul(rest, 48_271) >>> 0) >>> 4) % 676) ** 0.5)]
    return letter ?? 'e'
  }).join('')
})
