import { analyticsEvents, logEvents, logFailures, type Watch } from '@waystone/edge'
import type { Env } from './env.ts'

/** What failed with nobody waiting for it, in the log of the worker. */
export const report = logFailures((line) => console.error(line))

/** What the edge does is measured where a dataset is bound for it, and else logged. */
export function watchOf({ ANALYTICS }: Env): Watch {
  return ANALYTICS ? analyticsEvents(ANALYTICS) : logEvents((line) => console.log(line))
}
