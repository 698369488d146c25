import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { WaystoneError } from '../errors.ts'
import { diff } from './diff.ts'
import { createDraft } from './draft.ts'

interface Message {
  role: string
  content: string
  parts?: string[]
}

const baseOf = (): { messages: Message[]; meta: { tags: string[] }; when: Date; seen: Set<string> } => ({
  messages: [
    { role: 'user', content: 'a' },
    { role: 'model', content: 'b' },
  ],
  meta: { tags: ['x'] },
  when: new Date(1),
  seen: new Set(['a']),
})

const refusedAt = (path: string): unknown =>
  expect.objectContaining({ code: 'value_refused', details: { path } })

describe('finish()', () => {
  it('returns the base itself when nothing changed, whatever was read', () => {
    const base = baseOf()
    const { draft, finish } = createDraft(base)
    JSON.stringify(draft)
    draft.seen.has('a')
    draft.when.getTime()
    expect(finish()).toBe(base)
  })

  it('returns the base itself when every change was taken back', () => {
    const base = baseOf()
    const { draft, finish } = createDraft(base)
    draft.meta.tags.push('y')
    draft.meta.tags.pop()
    draft.seen.add('b')
    draft.seen.delete('b')
    expect(finish()).toBe(base)
  })

  it('shares what was not touched with the base', () => {
    const base = baseOf()
    const { draft, finish } = createDraft(base)
    draft.messages.push({ role: 'user', content: 'c' })
    const next = finish()
    expect(next.messages).toHaveLength(3)
    expect(next.messages[0]).toBe(base.messages[0])
    expect(next.meta).toBe(base.meta)
    expect(next.when).toBe(base.when)
    expect(base).toEqual(baseOf())
  })

  it('shares moved and filtered items with the base', () => {
    const base = baseOf()
    const { draft, finish } = createDraft(base)
    draft.messages = draft.messages.filter((m) => m.role === 'model')
    expect(finish().messages[0]).toBe(base.messages[1])
  })

  it('sees changes in place of Date, Map, Set and bytes', () => {
    const base = {
      at: new Date(1),
      map: new Map([['a', { n: 1 }]]),
      bytes: new Uint8Array(2),
      same: new Set([1]),
    }
    const { draft, finish } = createDraft(base)
    draft.at.setTime(2)
    const entry = draft.map.get('a')
    if (entry) entry.n = 2
    draft.bytes[0] = 9
    expect(draft.same.has(1)).toBe(true)
    const next = finish()
    expect(next).toEqual({
      at: new Date(2),
      map: new Map([['a', { n: 2 }]]),
      bytes: new Uint8Array([9, 0]),
      same: new Set([1]),
    })
    expect(next.same).toBe(base.same)
    expect(base.map.get('a')).toEqual({ n: 1 })
    draft.at.setTime(3)
    expect(next.at.getTime()).toBe(2)
  })

  it('keeps holes where they are', () => {
    const base: { list: number[] } = { list: Object.assign([1], { 2: 3 }) }
    const { draft, finish } = createDraft(base)
    draft.list.push(4)
    delete draft.list[0]
    const { list } = finish()
    expect(Object.keys(list)).toEqual(['2', '3'])
    expect(list).toHaveLength(4)
    expect(Object.keys(base.list)).toEqual(['0', '2'])
  })

  it('takes over what was assigned as it is at the end, as a copy', () => {
    const { draft, finish } = createDraft<{ m?: Message }>({})
    const message: Message = { role: 'model', content: '', parts: [] }
    draft.m = message
    message.content = 'late'
    message.parts?.push('p')
    const next = finish()
    message.content = 'too late'
    expect(next.m).toEqual({ role: 'model', content: 'late', parts: ['p'] })
  })

  it('never writes to what was assigned, which may belong to another state', () => {
    const other = { list: [{ n: 1 }], set: new Set([1]) }
    const { draft, finish } = createDraft<{ list?: { n: number }[]; set?: Set<number> }>({})
    Object.assign(draft, other)
    draft.list?.forEach((item) => item.n++)
    draft.list?.push({ n: 3 })
    draft.set?.add(2)
    expect(finish()).toEqual({ list: [{ n: 2 }, { n: 3 }], set: new Set([1, 2]) })
    expect(other).toEqual({ list: [{ n: 1 }], set: new Set([1]) })
  })

  it('keeps an object of the base apart from the same object assigned elsewhere and changed', () => {
    const base: Record<string, { n: number }> = { a: { n: 1 } }
    const { draft, finish } = createDraft(base)
    draft['b'] = base['a'] ?? { n: 0 }
    draft['b'].n = 2
    expect(finish()).toEqual({ a: { n: 1 }, b: { n: 2 } })
    const moved = createDraft<Record<string, unknown>>({ x: { deep: base } })
    const deep = base['a']
    moved.draft['copy'] = deep
    ;(moved.draft['copy'] as { n: number }).n = 7
    moved.draft['y'] = [moved.draft['x']]
    expect(moved.finish()).toEqual({ x: { deep: base }, copy: { n: 7 }, y: [{ deep: { a: { n: 1 } } }] })
  })

  it('makes two values of a draft that was put at two places', () => {
    const { draft, finish } = createDraft<Record<string, { n: number }>>({ a: { n: 1 } })
    draft['b'] = draft['a'] ?? { n: 0 }
    draft['b'].n = 2
    const next = finish()
    expect(next).toEqual({ a: { n: 2 }, b: { n: 2 } })
    const again = createDraft(next)
    if (again.draft['a']) again.draft['a'].n = 3
    expect(again.finish()).toEqual({ a: { n: 3 }, b: { n: 2 } })
  })

  it('takes a next state in place of the draft, which may hold drafts', () => {
    const base = baseOf()
    const { draft, finish } = createDraft(base)
    const next = finish({ ...draft, when: new Date(9) })
    expect(next.messages).toBe(base.messages)
    expect(next.when).toEqual(new Date(9))
  })

  it('returns the same when called again', () => {
    const { draft, finish } = createDraft({ n: 1 })
    draft.n = 2
    expect(finish()).toBe(finish())
  })

  it('can still be read after the end, and reading changes nothing', () => {
    const { draft, finish } = createDraft(baseOf())
    draft.messages.push({ role: 'user', content: 'c', parts: ['x'] })
    const next = finish()
    expect(draft.messages.map(({ content }) => content)).toEqual(['a', 'b', 'c'])
    expect(draft.messages[2]).toBe(draft.messages[2])
    expect(() => draft.messages[2]?.parts?.push('y')).toThrow(/finished/)
    expect(next).toBe(finish())
    expect(structuredClone(next).messages[2]).toEqual({ role: 'user', content: 'c', parts: ['x'] })
  })

  it('makes two values of a list that stands at two places', () => {
    const { draft, finish } = createDraft<{ a: { n: number }[]; b?: { n: number }[] }>({ a: [{ n: 1 }] })
    draft.a.push({ n: 2 })
    draft.b = draft.a
    draft.a.push({ n: 3 })
    const next = finish()
    expect(next).toEqual({ a: [{ n: 1 }, { n: 2 }, { n: 3 }], b: [{ n: 1 }, { n: 2 }, { n: 3 }] })
    expect(next.a).not.toBe(next.b)
  })

  it('refuses what no state may hold, with its path, and leaves the draft open', () => {
    const { draft, finish } = createDraft<{ messages: unknown[]; tool?: unknown }>({ messages: [{}] })
    draft.messages.push({ when: new WeakSet() })
    expect(() => finish()).toThrow(refusedAt('state.messages[1].when'))
    draft.messages[1] = { when: 'x' }
    draft.tool = () => 1
    expect(() => finish()).toThrow(refusedAt('state.tool'))
    delete draft.tool
    draft.messages.length = 4_000_000_000
    expect(() => finish()).toThrow(refusedAt('state.messages[3999999999]'))
    draft.messages.length = 2
    expect(finish()).toEqual({ messages: [{}, { when: 'x' }] })
  })

  it('refuses a draft inside of itself, and one that was moved too deep', () => {
    const cycle = createDraft<{ a: { self?: unknown } }>({ a: {} })
    cycle.draft.a.self = cycle.draft.a
    expect(() => cycle.finish()).toThrow(refusedAt('state.a.self'))
    let base: unknown = []
    for (let i = 0; i < 498; i++) base = [base]
    const deep = createDraft<{ a: unknown }>({ a: base })
    deep.draft.a = [deep.draft.a]
    expect(() => deep.finish()).toThrow(/deeper than 500 levels/)
  })

  it('works on a root that is not a plain object', () => {
    expect(createDraft(7).finish()).toBe(7)
    expect(createDraft(undefined).draft).toBe(undefined)
    const base = new Map([['a', 1]])
    expect(createDraft(base).finish()).toBe(base)
    const { draft, finish } = createDraft(base)
    draft.set('b', 2)
    expect(finish()).toEqual(
      new Map([
        ['a', 1],
        ['b', 2],
      ]),
    )
    expect(base.size).toBe(1)
  })
})

describe('a draft', () => {
  it('is the same on repeated reads, and looks like what it stands for', () => {
    const { draft } = createDraft(baseOf())
    expect(draft.meta).toBe(draft.meta)
    expect(draft.when).toBe(draft.when)
    expect(draft.messages[0]).toBe(draft.messages.at(0))
    expect(Array.isArray(draft.messages)).toBe(true)
    expect(draft.messages.push).toBe(draft.messages.push)
    expect(Object.keys(draft)).toEqual(['messages', 'meta', 'when', 'seen'])
    expect('meta' in draft).toBe(true)
    expect('other' in draft).toBe(false)
    expect({ ...draft.meta }).toEqual({ tags: ['x'] })
    expect(JSON.stringify(draft)).toBe(JSON.stringify(baseOf()))
    const [, { content } = { content: '' }] = draft.messages
    expect(content).toBe('b')
    expect([...draft.messages].map((m) => m.role)).toEqual(['user', 'model'])
  })

  it('of what was assigned is found by what was assigned', () => {
    const { draft } = createDraft<{ list: object[] }>({ list: [{}] })
    const item = { n: 1 }
    draft.list.push(item)
    expect(draft.list.includes(item)).toBe(true)
    expect(draft.list.indexOf(item)).toBe(1)
    expect(draft.list.includes({ n: 1 })).toBe(false)
  })

  it('asks the guard before every write, and changes nothing when it throws', () => {
    let isLocked = true
    const base = baseOf()
    const guard = (): void => {
      if (isLocked) throw new WaystoneError('state_locked', 'a step is open')
    }
    const { draft, finish } = createDraft<{
      messages: Message[]
      meta: { tags: string[] }
      fresh?: { n: number }
    }>(base, { guard })
    const locked = expect.objectContaining({ code: 'state_locked' })
    isLocked = false
    draft.fresh = { n: 1 }
    delete draft.fresh
    const { messages } = draft
    isLocked = true
    expect(() => messages.push({ role: 'user', content: '' })).toThrow(locked)
    expect(() => messages.splice(0, 1)).toThrow(locked)
    expect(() => messages.sort()).toThrow(locked)
    expect(() => (messages.length = 0)).toThrow(locked)
    expect(() => delete messages[0]).toThrow(locked)
    expect(() => (draft.meta.tags[0] = 'y')).toThrow(locked)
    expect(() => Object.defineProperty(draft, 'x', { value: 1 })).toThrow(locked)
    expect(finish()).toBe(base)
  })

  it('asks the guard also for what was assigned in this very draft', () => {
    let isLocked = false
    const guard = (): void => {
      if (isLocked) throw new Error('locked')
    }
    const { draft, finish } = createDraft<{ a?: { n: number[] } }>({}, { guard })
    draft.a = { n: [] }
    isLocked = true
    expect(() => draft.a?.n.push(1)).toThrow('locked')
    expect(finish()).toEqual({ a: { n: [] } })
  })

  it('can be read but not written after the end', () => {
    const { draft, finish } = createDraft({ list: [{ n: 1 }] })
    const [item] = draft.list
    const next = finish()
    const locked = expect.objectContaining({ code: 'state_locked' })
    expect(() => draft.list.push({ n: 2 })).toThrow(locked)
    expect(() => Object.assign(item ?? {}, { n: 2 })).toThrow(locked)
    expect(draft.list[0]?.n).toBe(1)
    expect(next).toEqual({ list: [{ n: 1 }] })
  })

  it('refuses at once what could not even be a property of a state', () => {
    const { draft } = createDraft<Record<PropertyKey, unknown>>({ list: [] })
    const refused = expect.objectContaining({ code: 'value_refused' })
    expect(() => (draft[Symbol('s')] = 1)).toThrow(refused)
    expect(() => (draft['__proto__'] = {})).toThrow(refused)
    expect(() => Object.setPrototypeOf(draft, {})).toThrow(refused)
    expect(() => Object.freeze(draft)).toThrow(refused)
    expect(() => Object.defineProperty(draft, 'x', { get: () => 1 })).toThrow(refused)
    expect(() => Object.assign(draft['list'] as object, { extra: 1 })).toThrow(refused)
  })

  it('takes an own property __proto__ by definition', () => {
    const { draft, finish } = createDraft({})
    Object.defineProperty(draft, '__proto__', {
      value: { x: 1 },
      writable: true,
      enumerable: true,
      configurable: true,
    })
    expect(JSON.stringify(finish())).toBe('{"__proto__":{"x":1}}')
  })
})

describe('memory', () => {
  it('lets go of the lists that came before', async () => {
    setFlagsFromString('--expose-gc')
    const gc = runInNewContext('gc') as () => void
    let state = { list: [0] }
    const first = new WeakRef(state.list)
    for (let i = 0; i < 20; i++) {
      const { draft, finish } = createDraft(state)
      draft.list.push(i)
      const next = finish()
      diff(state, next)
      state = next
      // What a WeakRef was read from lives to the end of its task.
      await new Promise((resolve) => setImmediate(resolve))
    }
    gc()
    await new Promise((resolve) => setImmediate(resolve))
    gc()
    expect(first.deref()).toBeUndefined()
    expect(state.list).toHaveLength(21)
  })
})

describe('current()', () => {
  it('is a plain copy of the draft as it stands', () => {
    const base = baseOf()
    const { draft, finish, current } = createDraft(base)
    draft.meta.tags.push('y')
    const copy = current(draft)
    copy.messages.pop()
    expect(copy.meta).toEqual({ tags: ['x', 'y'] })
    expect(structuredClone(copy.meta)).toEqual(copy.meta)
    expect(current({ tags: draft.meta.tags })).toEqual({ tags: ['x', 'y'] })
    expect(current(base.meta)).not.toBe(base.meta)
    expect(finish().messages).toBe(base.messages)
  })
})
