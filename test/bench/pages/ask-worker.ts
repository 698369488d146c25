/** A worker that answers questions, one at a time. */
export interface Asked<Question, Answer> {
  /** Rejects with what failed there. */
  ask(question: Question): Promise<Answer>
  end(): void
}

/** Starts the worker of a file whose code calls `answerWith`. */
export function startWorker<Question, Answer>(file: string): Asked<Question, Answer> {
  const worker = new Worker(file, { type: 'module' })
  return {
    ask: (question) =>
      new Promise((resolve, reject) => {
        worker.onmessage = ({ data }: MessageEvent<{ answer: Answer } | { error: string }>) => {
          if ('error' in data) reject(new Error(data.error))
          else resolve(data.answer)
        }
        worker.onerror = ({ message }) => reject(new Error(message))
        worker.postMessage(question)
      }),
    end: () => worker.terminate(),
  }
}

/** Answers, in a worker, what `startWorker` asks. */
export function answerWith<Question>(answer: (question: Question) => Promise<unknown>): void {
  addEventListener('message', ({ data }: MessageEvent<Question>) => {
    answer(data).then(
      (answered) => postMessage({ answer: answered }),
      (error: unknown) =>
        postMessage({ error: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
    )
  })
}
