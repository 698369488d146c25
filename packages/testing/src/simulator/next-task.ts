import { realTask } from '../agent/virtual-clock.ts'

/** So many tasks share a pass of Node's event loop, whose look at the outside takes as long as a small task. */
const tasksAPass = 64

const waiting: (() => void)[] = []
let left = 0

/**
 * A later task: what is settled by then has been heard, and a rejection that nobody hears has been told to the process.
 * Node does both between any two immediates, also where several are due in one pass.
 */
export function nextTask(): Promise<void> {
  if (left === 0) for (; left < tasksAPass; left += 1) void realTask().then(begin)
  return new Promise((resolve) => waiting.push(resolve))
}

function begin(): void {
  left -= 1
  waiting.shift()?.()
}
