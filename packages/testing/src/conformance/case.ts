/**
 * One thing that every implementation of a port does. A case needs no test runner, so that it can run wherever the
 * implementation does: in a page, a worker or a Durable Object.
 */
export interface Case<Subject> {
  /** Reads as a sentence of the contract. */
  readonly name: string
  /** Throws an error that says what was expected and found. `subject` makes an empty one at every call. */
  run(subject: () => Promise<Subject>): Promise<void>
}

/** What became of a case. */
export interface CaseResult {
  readonly name: string
  readonly ok: boolean
  /** Why it failed. */
  readonly error?: string
}

/** Runs cases one after the other. Never rejects: a case that throws is a result. */
export async function runCases<Subject>(
  cases: readonly Case<Subject>[],
  subject: () => Promise<Subject>,
): Promise<readonly CaseResult[]> {
  const results: CaseResult[] = []
  for (const { name, run } of cases) {
    try {
      await run(subject)
      results.push({ name, ok: true })
    } catch (error) {
      results.push({ name, ok: false, error: describe(error) })
    }
  }
  return results
}

function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  const cause = error.cause === undefined ? '' : ` (${describe(error.cause)})`
  return `${error.name}: ${error.message}${cause}`
}
