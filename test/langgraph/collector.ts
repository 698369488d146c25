/** How a case ended. */
export interface CaseResult {
  readonly name: string
  readonly ok: boolean
  readonly error?: string
}

type Work = () => unknown

interface Suite {
  readonly name: string
  readonly children: (Suite | Case)[]
  readonly beforeAll: Work[]
  readonly afterAll: Work[]
  readonly beforeEach: Work[]
  readonly afterEach: Work[]
}

interface Case {
  readonly name: string
  readonly work: Work
}

/**
 * Collects what a suite for Vitest defines by its globals, and runs it where Vitest does not run: in a page, in workerd.
 * Cases run one after the other in the order in which they were defined, with the hooks around them.
 */
export class Collector {
  readonly #root: Suite = suiteOf('')
  #at: Suite = this.#root

  /** What the suite takes for the globals of Vitest, but for `expect`. */
  readonly globals = {
    describe: withEach((name, work) => this.#suite(name, work)),
    it: withEach((name, work) => void this.#at.children.push({ name, work })),
    beforeAll: (work: Work) => void this.#at.beforeAll.push(work),
    afterAll: (work: Work) => void this.#at.afterAll.push(work),
    beforeEach: (work: Work) => void this.#at.beforeEach.push(work),
    afterEach: (work: Work) => void this.#at.afterEach.push(work),
  }

  /** The names of all cases, in the order in which they run. */
  names(): readonly string[] {
    return namesIn(this.#root, '')
  }

  async run(): Promise<readonly CaseResult[]> {
    const results: CaseResult[] = []
    await runSuite(this.#root, '', [], results)
    return results
  }

  #suite(name: string, work: Work): void {
    const outer = this.#at
    const suite = suiteOf(name)
    outer.children.push(suite)
    this.#at = suite
    work()
    this.#at = outer
  }
}

type Define = (name: string, work: Work) => void

/** With `each`, which names a case after its argument: the whole as `%s`, a property as `$name`. */
function withEach(define: Define): Define & { each: (values: readonly unknown[]) => Define } {
  const each =
    (values: readonly unknown[]) =>
    (name: string, work: (value: unknown) => unknown): void => {
      for (const value of values) define(named(name, value), () => work(value))
    }
  return Object.assign(define, { each })
}

function named(name: string, value: unknown): string {
  const property = (_: string, key: string): string => String((value as Record<string, unknown>)[key])
  return name.replace('%s', () => String(value)).replace(/\$(\w+)/g, property)
}

function suiteOf(name: string): Suite {
  return { name, children: [], beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] }
}

function namesIn({ children }: Suite, path: string): readonly string[] {
  return children.flatMap((child) =>
    'children' in child ? namesIn(child, `${path}${child.name} > `) : [`${path}${child.name}`],
  )
}

async function runSuite(
  suite: Suite,
  path: string,
  outer: readonly Suite[],
  results: CaseResult[],
): Promise<void> {
  const failed = await errorOf(async () => {
    for (const hook of suite.beforeAll) await hook()
  })
  const suites = [...outer, suite]
  for (const child of suite.children) {
    const name = `${path}${child.name}`
    if (failed !== undefined) {
      const names = 'children' in child ? namesIn(child, `${name} > `) : [name]
      results.push(...names.map((one) => ({ name: one, ok: false, error: failed })))
    } else if ('children' in child) await runSuite(child, `${name} > `, suites, results)
    else results.push(await runCase(name, child.work, suites))
  }
  const after = await errorOf(async () => {
    for (const hook of suite.afterAll) await hook()
  })
  if (after !== undefined) results.push({ name: `${path}afterAll`, ok: false, error: after })
}

async function runCase(name: string, work: Work, suites: readonly Suite[]): Promise<CaseResult> {
  const before = suites.flatMap(({ beforeEach }) => beforeEach)
  const after = suites.toReversed().flatMap(({ afterEach }) => afterEach)
  const failed = await errorOf(async () => {
    for (const hook of before) await hook()
    await work()
  })
  const ended = await errorOf(async () => {
    for (const hook of after) await hook()
  })
  const error = failed ?? ended
  return error === undefined ? { name, ok: true } : { name, ok: false, error }
}

async function errorOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  }
}
