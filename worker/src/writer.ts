import { extractWriter, modelWriter, type Writer } from '@waystone/demo/agent'
import type { Env } from './env.ts'

/** The writer at the edge: the language model of `env` when one is configured, else quotations. */
export function writerAtEdge({ MODEL_URL, MODEL_NAME, MODEL_KEY }: Env): Writer {
  if (!MODEL_URL || !MODEL_NAME) return extractWriter()
  return modelWriter({ url: MODEL_URL, model: MODEL_NAME, key: MODEL_KEY ?? '' })
}
