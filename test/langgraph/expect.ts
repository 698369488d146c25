import {
  ASYMMETRIC_MATCHERS_OBJECT,
  chai,
  GLOBAL_EXPECT,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  setState,
} from '@vitest/expect'

/** The `expect` of Vitest, where Vitest does not run. One that is `soft` throws, too. */
export function makeExpect(): object {
  chai.use(JestExtend)
  chai.use(JestChaiExpect)
  chai.use(JestAsymmetricMatchers)
  const expect = (value: unknown, message?: string): unknown => chai.expect(value, message)
  const globals = globalThis as unknown as Record<PropertyKey, object>
  Object.assign(expect, chai.expect, globals[ASYMMETRIC_MATCHERS_OBJECT], { soft: expect })
  Object.assign(globals, { [GLOBAL_EXPECT]: expect })
  setState({ assertionCalls: 0, isExpectingAssertions: false }, expect as never)
  return expect
}
