/** Asks again and again until the answer is not undefined; throws the message when the time is over. */
export async function poll<T>(
  ask: () => Promise<T | undefined> | T | undefined,
  options: { timeoutMs: number; message: () => string | Promise<string>; everyMs?: number },
): Promise<T> {
  const deadline = Date.now() + options.timeoutMs
  for (;;) {
    const answer = await ask()
    if (answer !== undefined) return answer
    if (Date.now() >= deadline) throw new Error(await options.message())
    await new Promise((resolve) => setTimeout(resolve, options.everyMs ?? 25))
  }
}
