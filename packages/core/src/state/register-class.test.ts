import { describe, expect, it } from 'vitest'
import { OpaqueValue } from './classes.ts'
import { cloneValue, decodeValue, encodeValue, type Value } from './codec.ts'
import { applyDelta, diff } from './delta.ts'
import { createDraft } from './draft.ts'
import { sameValue } from './equal.ts'
import { registerClass } from './register-class.ts'

class Money {
  readonly amount: bigint
  readonly currency: string

  constructor(amount: bigint, currency: string) {
    this.amount = amount
    this.currency = currency
  }
}

class Account {
  entries: Money[]

  constructor(entries: Money[]) {
    this.entries = entries
  }
}

const money = {
  name: 'Money',
  class: Money,
  encode: ({ amount, currency }: Money) => ({ amount, currency }),
  decode: ({ amount, currency }: { amount: bigint; currency: string }) => new Money(amount, currency),
}
registerClass(money)
registerClass({
  name: 'Account',
  class: Account,
  encode: ({ entries }) => entries,
  decode: (entries) => new Account(entries),
})

const refused = expect.objectContaining({ code: 'input_refused' })

describe('registerClass()', () => {
  it('keeps instances, also inside of each other', () => {
    const account = new Account([new Money(5n, 'EUR')])
    const encoded = encodeValue({ account })
    expect(encoded).toEqual({
      account: {
        $: 'class',
        v: ['Account', [{ $: 'class', v: ['Money', { amount: { $: 'bigint', v: '5' }, currency: 'EUR' }] }]],
      },
    })
    for (const back of [decodeValue(encoded) as unknown as { account: Account }, cloneValue({ account })]) {
      expect(back).toEqual({ account })
      expect(back.account).toBeInstanceOf(Account)
      expect(back.account.entries[0]).toBeInstanceOf(Money)
      expect(back.account).not.toBe(account)
    }
  })

  it('compares instances by what is stored', () => {
    expect(sameValue(new Money(1n, 'EUR'), new Money(1n, 'EUR'))).toBe(true)
    expect(sameValue(new Money(1n, 'EUR'), new Money(2n, 'EUR'))).toBe(false)
    expect(sameValue(new Money(1n, 'EUR'), { amount: 1n, currency: 'EUR' })).toBe(false)
    expect(sameValue(new Account([]), new (class extends Account {})([]))).toBe(false)
  })

  it('sees what changes in an instance of a draft', () => {
    const base = { account: new Account([]), other: new Account([]) }
    const { draft, finish } = createDraft(base)
    draft.account.entries.push(new Money(1n, 'EUR'))
    expect(draft.other.entries).toEqual([])
    const next = finish()
    expect(next.account.entries).toEqual([new Money(1n, 'EUR')])
    expect(base.account.entries).toEqual([])
    expect(next.other).toBe(base.other)
    const back = applyDelta(
      base as unknown as Value,
      diff(base as unknown as Value, next as unknown as Value),
    )
    expect(sameValue(back, next)).toBe(true)
  })

  it('names the path of what an instance holds and no state may', () => {
    const account = new Account([new Money(1n, (() => 1) as never)])
    expect(() => encodeValue({ account })).toThrow(
      expect.objectContaining({ details: { path: 'value.account.encode[0].encode.currency' } }),
    )
    const cyclic = new Account([])
    cyclic.entries.push(cyclic as never)
    expect(() => encodeValue(cyclic)).toThrow(/contains itself/)
  })

  it('refuses a name or a class that is taken, and takes the same again', () => {
    expect(() => registerClass({ ...money, class: class extends Money {} })).toThrow(refused)
    expect(() => registerClass({ ...money, name: 'Money 2' })).toThrow(refused)
    expect(() => registerClass({ ...money, name: '' })).toThrow(refused)
    expect(() =>
      registerClass({ name: 'Date', class: Date, encode: Number, decode: (n) => new Date(n) }),
    ).toThrow(refused)
    registerClass(money)
    expect(decodeValue(encodeValue(new Money(1n, 'EUR')))).toEqual(new Money(1n, 'EUR'))
  })

  it('refuses what `decode` cannot make', () => {
    class Broken {}
    registerClass({ name: 'Broken', class: Broken, encode: () => 1, decode: () => ({}) as Broken })
    const valueRefused = expect.objectContaining({ code: 'value_refused' })
    expect(() => cloneValue(new Broken())).toThrow(valueRefused)
    expect(() => decodeValue([{ $: 'class', v: ['Broken', 1] }])).toThrow(valueRefused)
    expect(() => decodeValue([{ $: 'class', v: ['Account', { $: 'bigint', v: '1' }] }])).not.toThrow()
  })
})

describe('an instance of a class that is not registered here', () => {
  const json = {
    list: [
      { $: 'class', v: ['Elsewhere', { at: { $: 'date', v: null }, deep: [{ $: 'class', v: ['Far', 1] }] }] },
    ],
  }

  it('is kept as it is stored, and stored again to the letter', () => {
    const value = decodeValue(json) as { list: OpaqueValue[] }
    expect(value.list[0]).toBeInstanceOf(OpaqueValue)
    expect(JSON.stringify(encodeValue(value))).toBe(JSON.stringify(json))
    expect(JSON.stringify(encodeValue(cloneValue(value)))).toBe(JSON.stringify(json))
    expect(sameValue(value, decodeValue(json))).toBe(true)
  })

  it('stays the same in a draft, and moves in a delta', () => {
    const base = decodeValue(json) as { list: Value[]; first?: Value }
    const { draft, finish } = createDraft(base)
    expect(draft.list[0]).toBeInstanceOf(OpaqueValue)
    draft.first = draft.list.pop()
    const next = finish() as unknown as Value
    const back = applyDelta(base as Value, diff(base as Value, next))
    expect(encodeValue(back)).toEqual({ list: [], first: json.list[0] })
  })

  it('is refused when it is damaged', () => {
    const damaged = { $: 'class', v: ['Elsewhere', { $: 'bigint', v: '0x1' }] }
    expect(() => decodeValue(damaged)).toThrow(expect.objectContaining({ code: 'value_refused' }))
  })
})
