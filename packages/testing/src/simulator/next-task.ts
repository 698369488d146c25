// Taken at import, as the agent tests do: a test may put fake timers in its place later.
const { setImmediate } = globalThis as unknown as { setImmediate(work: () => void): void }

/** So many tasks share a pass of Node's event loop, whose look at the outside takes as long as a small task. */
const tasksAPass = 64

const waiting: (() => void)[] = []
let left = 0

/**
 * A later task: what is settled by then has been heard, and a rejection that nobody hears has been told to the process.
 * Node does both between any two immediates, also where several are due in one pass.
 */
export function nextTask(): Promise<void> {
  if (left === 0) for (; left < tasksAPass; left += 1) setImmediate(begin)
  return new Promise((resolve) => waiting.push(resolve))
}

function begin(): void {
  left -= 1
  waiting.shift()?.()
}
