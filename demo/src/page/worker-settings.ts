import type { ModelSettings } from '../agent/model-writer.ts'

/** What the page hands its worker when it starts it: never stored in a log, gone with the tab. */
export interface WorkerSettings {
  readonly model?: ModelSettings
  /** Lets the worker ask the edge to read what the browser may not. */
  readonly token?: string
  /** How long a word of a quotation takes, in ms. */
  readonly wordMs?: number
}

/** Settings as the name of a worker, which is there before its first line runs. The inverse of `parseSettings`. */
export function settingsName(settings: WorkerSettings): string {
  return JSON.stringify(settings)
}

/** Reads the settings that a worker was named by; what is not settings is none. */
export function parseSettings(name: string): WorkerSettings {
  try {
    const value: unknown = JSON.parse(name)
    if (typeof value !== 'object' || value === null) return {}
    const token = 'token' in value && typeof value.token === 'string' ? { token: value.token } : {}
    const wordMs = 'wordMs' in value && typeof value.wordMs === 'number' ? { wordMs: value.wordMs } : {}
    const model = 'model' in value ? parseModel(value.model) : undefined
    return { ...token, ...wordMs, ...(model === undefined ? {} : { model }) }
  } catch {
    return {}
  }
}

/** Model settings from storage or a message; undefined when they name no model. */
export function parseModel(value: unknown): ModelSettings | undefined {
  if (typeof value !== 'object' || value === null || !('url' in value) || !('model' in value))
    return undefined
  const { url, model } = value
  const key = 'key' in value && typeof value.key === 'string' ? value.key : ''
  if (typeof url !== 'string' || typeof model !== 'string' || url === '' || model === '') return undefined
  return { url, model, key }
}
