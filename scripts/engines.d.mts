export type EngineName = 'chromium' | 'firefox' | 'webkit'

export interface FoundEngine {
  readonly name: EngineName
  /** The programs, in a fixed order: the browser, or for webkit the driver, Xvfb and MiniBrowser. */
  readonly paths: readonly string[]
  /** What was not found; empty when the engine can run. */
  readonly missing: readonly string[]
  /** The Debian packages that bring it. */
  readonly packages: readonly string[]
  /** One line that says what to install; empty when nothing is missing. */
  readonly advice: string
}

export const engineNames: readonly EngineName[]
export function findEngine(name: EngineName): FoundEngine
