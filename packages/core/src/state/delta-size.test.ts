import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { cloneValue, type Value } from './codec.ts'
import { applyDelta, parseDelta, type Delta } from './delta.ts'
import { diff } from './diff.ts'
import { createDraft } from './draft.ts'
import { sameValue } from './equal.ts'

/** What a delta may have beside what changed, in bytes. */
const overheadBytesMax = 300

interface Message {
  id: number
  role: string
  content: string
  parts: { type: string; text: string }[]
}

function messageOf(id: number): Message {
  const content = `message ${id} says ${(id * 7919) % 10_007} `.repeat(8)
  return { id, role: id % 2 ? 'user' : 'model', content, parts: [{ type: 'text', text: `part ${id}` }] }
}
const messages = Array.from({ length: 10_000 }, (_, id) => messageOf(id))
const numbers = Array.from({ length: 10_000 }, (_, i) => i * 3)
const prose = Array.from({ length: 6000 }, (_, i) => `word${(i * 7919) % 6007} and`).join(' ')
const repeated = 'The quick brown fox jumps over the lazy dog. '.repeat(2500)

const bytesOf = (delta: Delta): number => new TextEncoder().encode(JSON.stringify(delta)).length

/** The delta of what `change` does, made in a draft and once more in a deep copy, where nothing is known by identity. */
function deltasOf<T>(base: T, change: (state: T) => void): [how: string, Delta][] {
  const { draft, finish } = createDraft(base)
  change(draft)
  const copy = cloneValue(base)
  change(copy)
  return (
    [
      ['a draft', finish()],
      ['a deep copy', copy],
    ] as const
  ).map(([how, next]) => {
    const delta = diff(base as Value, next as Value)
    const back = applyDelta(base as Value, parseDelta(JSON.parse(JSON.stringify(delta))))
    expect(sameValue(back, copy), how).toBe(true)
    return [how, delta]
  })
}

function expectSmall<T>(base: T, changeBytes: number, change: (state: T) => void): void {
  for (const [how, delta] of deltasOf(base, change))
    expect(bytesOf(delta), `${how}: ${JSON.stringify(delta).slice(0, 300)}`).toBeLessThanOrEqual(
      changeBytes + overheadBytesMax,
    )
}

const at = <T>(list: T[], i: number): T => list[i] as T

describe('a delta has about the size of the change', () => {
  it('where the first half of a context is dropped', () => {
    expectSmall({ messages }, 0, (state) => void state.messages.splice(0, 5000))
  })

  it('where a window slides, and what stays is edited', () => {
    expectSmall({ messages }, bytesOf([['set', [], messageOf(10_000) as never]]), (state) => {
      state.messages.splice(0, 300)
      at(state.messages, 5000).role = 'tool'
      state.messages.push(messageOf(10_000))
    })
  })

  it('where items are inserted in the middle', () => {
    const fresh = [messageOf(-1), messageOf(-2)]
    expectSmall({ messages }, JSON.stringify(fresh).length, (state) => {
      state.messages.splice(3000, 0, at(fresh, 0))
      state.messages.splice(7000, 0, at(fresh, 1))
    })
    expectSmall({ numbers }, 20, (state) => {
      state.numbers.splice(100, 0, -1)
      state.numbers.splice(9000, 0, -2)
    })
  })

  it('where one item of 10,000 goes to the front', () => {
    expectSmall({ messages }, 0, (state) => state.messages.unshift(...state.messages.splice(9000, 1)))
    expectSmall({ numbers }, 0, (state) => state.numbers.unshift(...state.numbers.splice(9000, 1)))
    const ids = numbers.map((n) => `id-${n}`)
    expectSmall({ ids }, 0, (state) => state.ids.unshift(...state.ids.splice(9000, 1)))
  })

  it('where the second half goes to the front', () => {
    expectSmall({ messages }, 0, (state) => state.messages.unshift(...state.messages.splice(5000)))
  })

  it('where items are shuffled: the places, not the items', () => {
    const some = messages.slice(0, 1000)
    expectSmall({ some }, some.length * 50, (state) => {
      for (let i = 0; i < state.some.length; i++) {
        const other = (i * 7919) % state.some.length
        ;[state.some[i], state.some[other]] = [at(state.some, other), at(state.some, i)]
      }
    })
  })

  it('where items move from one list to another, changed on the way', () => {
    const base = { open: messages.slice(0, 1000), done: messages.slice(1000, 2000) as object[] }
    // Of each item its place, and the small properties that a new object repeats.
    expectSmall(base, 10 * 120, (state) => {
      for (const item of state.open.splice(40, 10)) state.done.push({ ...item, done: true })
    })
    expectSmall(base, 0, (state) => void state.done.push(...state.open.splice(40, 10)))
  })

  it('where a property has another name or goes to the end', () => {
    const base: Record<string, unknown> = { page: prose, list: messages, n: 1 }
    expectSmall(base, 0, (state) => {
      state['old'] = state['page']
      state['page'] = 'new'
      const { list } = state
      delete state['list']
      state['list'] = list
    })
  })

  it('where something deep inside is edited', () => {
    let base: Value = { leaf: 1, text: prose }
    for (let i = 0; i < 40; i++) base = { a: base, list: [i, { i }, base === undefined ? 0 : 1] }
    expectSmall(base as Record<string, unknown>, 160, (state) => {
      let place = state
      while (place['a']) place = place['a'] as Record<string, unknown>
      place['leaf'] = 2
    })
  })

  it.each([
    ['prose', prose],
    ['a text that repeats itself', repeated],
  ])('where words change in %s of 100 KB', (_, text) => {
    expectSmall({ text }, 8, (state) => {
      state.text = `${text.slice(0, 50_000)}changed ${text.slice(50_010)}`
    })
    expectSmall({ text }, 4 * 50, (state) => {
      state.text = `${text.slice(0, 500)}one${text.slice(503, 40_000)}${text.slice(40_020, 90_000)}added words${text.slice(90_000)}`
    })
  })

  it('where a paragraph is inserted, another removed and a word changed', () => {
    const paragraph = 'Something new that is not there yet. '.repeat(100)
    expectSmall({ text: prose }, paragraph.length, (state) => {
      const { text } = state
      state.text =
        text.slice(0, 9000) +
        paragraph +
        text.slice(9000, 30_000) +
        text.slice(38_000, 60_000) +
        text.slice(60_004)
    })
  })

  it('where a text grows token by token', () => {
    let state = { text: prose }
    for (const token of ['Hello', ', ', 'world', '!']) {
      expectSmall(state, token.length, (next) => void (next.text += token))
      state = { text: state.text + token }
    }
  })

  it('where a Map of 10,000 gains, loses or changes an entry', () => {
    const map = new Map(messages.map((message) => [`key ${message.id}`, message]))
    expectSmall({ map }, JSON.stringify(messageOf(-1)).length, (state) => {
      state.map.set('new', messageOf(-1))
      state.map.delete('key 77')
      const message = state.map.get('key 5000')
      if (message) at(message.parts, 0).text = 'edited'
    })
  })

  it('where a Set of 10,000 gains and loses items', () => {
    const set = new Set<unknown>([...numbers, { a: 1, b: [1] }])
    expectSmall({ set }, 10, (state) => {
      state.set.add('new')
      state.set.delete(300)
      for (const item of state.set) if (typeof item === 'object') (item as { a: number }).a = 2
    })
  })

  it('where two regions of a typed array change', () => {
    const vector = Float64Array.from(numbers, (n) => n / 7)
    expectSmall({ vector }, 60, (state) => {
      state.vector[100] = 1
      state.vector.fill(2, 9000, 9003)
    })
    expectSmall({ buffer: vector.buffer }, 20, (state) => {
      new Float64Array(state.buffer)[500] = 1
    })
  })

  it('where some numbers of a vector change, and where all of them do', () => {
    const vector = numbers.map((n) => n / 7)
    expectSmall({ vector }, 40, (state) => {
      state.vector[100] = 1
      state.vector[9000] = 2
    })
    const all = vector.map((n) => n + 0.5)
    expectSmall({ vector }, JSON.stringify(all).length, (state) => void (state.vector = all))
  })

  it('for any few edits of a list, in the middle of what stays', () => {
    const list = messages.slice(0, 200)
    const edits = fc.array(
      fc.record({
        at: fc.nat(190),
        kind: fc.constantFrom('edit', 'insert', 'remove', 'move'),
        to: fc.nat(190),
      }),
      { minLength: 1, maxLength: 4 },
    )
    fc.assert(
      fc.property(edits, (edits) => {
        expectSmall(list, edits.length * JSON.stringify(messageOf(-100)).length, (state) => {
          for (const { at: from, kind, to } of edits) {
            if (kind === 'edit') at(state, from).content += ' edited'
            else if (kind === 'insert') state.splice(from, 0, messageOf(-to))
            else if (kind === 'remove') state.splice(from, 1)
            else state.splice(to, 0, ...state.splice(from, 1))
          }
        })
      }),
      { numRuns: 50 },
    )
  })
})

/** A deep copy of plain data that counts how often anybody looks into one of its objects or lists. */
function counted<T extends object>(value: T, count: { visits: number }): T {
  const visit = (target: object): boolean => {
    count.visits++
    return Array.isArray(target)
  }
  const copy = Object.assign(Array.isArray(value) ? [] : {}, value) as Record<string, unknown>
  for (const key of Object.keys(value)) {
    const part = copy[key]
    if (typeof part === 'object' && part !== null) copy[key] = counted(part, count)
  }
  return new Proxy(copy as T, {
    ownKeys: (target) => (visit(target), Reflect.ownKeys(target)),
    get: (target, key) => (key === 'length' && visit(target), Reflect.get(target, key) as unknown),
  })
}

describe('the work', () => {
  it.each([100, 1000, 5000])('does not grow with what a draft has not touched (%d items)', (size) => {
    const count = { visits: 0 }
    const untouched = counted(messages.slice(0, size), count)
    const items = untouched.map((message) => message)
    const base = { untouched, items, map: new Map([['list', untouched]]), n: 1 }
    const { draft, finish } = createDraft(base)
    count.visits = 0
    draft.n = 2
    at(draft.items, 3).role = 'tool'
    draft.items.splice(50, 10)
    draft.items.push(messageOf(-1))
    draft.items.unshift(...draft.items.splice(70, 1))
    const next = finish() as unknown as Value
    const delta = diff(base as unknown as Value, next)
    applyDelta(base as unknown as Value, delta)
    expect(delta.length).toBeGreaterThan(2)
    // The items that are gone are looked at, should they have moved.
    expect(count.visits).toBeLessThan(400)
  })

  it.each(['move', 'edit', 'shuffle', 'drop'])(
    'looks a bounded number of times at what has no identity: %s',
    (how) => {
      const count = { visits: 0 }
      const plain = { deep: { list: messages.slice(0, 1000) } }
      const next = counted(plain, count)
      const { list } = next.deep
      if (how === 'move') list.unshift(...list.splice(900, 1))
      else if (how === 'edit') at(at(list, 500).parts, 0).text = 'edited'
      else if (how === 'drop') list.splice(0, 500)
      else list.sort((a, b) => ((a.id * 7919) % 1009) - ((b.id * 7919) % 1009))
      count.visits = 0
      diff(plain as unknown as Value, next as unknown as Value)
      // A message is three objects and a list; each is asked for its names or its length a few times when it is compared.
      expect(count.visits).toBeLessThan(1000 * 4 * 12)
    },
  )

  it('does not grow with the depth at which one item of many lists differs', () => {
    const count = { visits: 0 }
    const nested = (levels: number, last: unknown): unknown =>
      levels === 0 ? last : [[levels], nested(levels - 1, last), 1]
    const base = nested(400, { n: 1 })
    const next = counted(nested(400, { n: 2 }) as unknown[], count)
    const delta = diff(base as Value, next as unknown as Value)
    expect(delta).toHaveLength(1)
    expect(count.visits).toBeLessThan(400 * 100)
  })
})
