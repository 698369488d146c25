import type { ModelSettings } from '../agent/model-writer.ts'
import { page } from './state.ts'
import { parseModel } from './worker-settings.ts'

const modelKey = 'waystone model'

/** The model settings of this tab. They are gone when it is closed. */
export function loadModel(): ModelSettings | undefined {
  try {
    return parseModel(JSON.parse(sessionStorage.getItem(modelKey) ?? 'null'))
  } catch {
    return undefined
  }
}

/** Takes other settings. The worker starts again with them: its runs go on from their log. */
export async function useModel(model: ModelSettings | undefined): Promise<void> {
  page.set({ model })
  try {
    if (model === undefined) sessionStorage.removeItem(modelKey)
    else sessionStorage.setItem(modelKey, JSON.stringify(model))
  } catch {
    // Then they last until the page is loaded again.
  }
  await page.get().way?.restartWorker()
}
