import type { Report } from '../report.ts'

/** Causes of causes that are written down. */
const causesMax = 5

/** Writes each failure as one line of JSON, with where it comes from and what caused it: `log` is `console.error`. */
export function logFailures(log: (line: string) => void): Report {
  return ({ error, ...about }) => {
    const time = new Date().toISOString()
    log(JSON.stringify({ waystone: 'failure', time, ...about, ...told(error, causesMax) }))
  }
}

function told(error: unknown, causes: number): object {
  if (!(error instanceof Error)) return { message: String(error) }
  const { message, stack, cause } = error
  return {
    ...('code' in error ? { code: error.code } : {}),
    message,
    ...(stack === undefined ? {} : { stack }),
    ...(cause === undefined || causes === 0 ? {} : { cause: told(cause, causes - 1) }),
  }
}
