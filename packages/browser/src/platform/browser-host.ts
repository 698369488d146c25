/** What a browser tells of itself: `navigator`, of a page or a worker. */
export interface BrowserNames {
  readonly userAgent: string
  /** In Chromium alone, and only where the context is secure (2026-11). */
  readonly userAgentData?: {
    /** Absent where an extension tells less than the browser does. */
    readonly brands?: readonly { readonly brand: string; readonly version: string }[]
  }
}

/** The engine of a browser and its major version, such as `chromium 156`; undefined for one that is not known. */
export function browserHost({ userAgent, userAgentData }: BrowserNames): string | undefined {
  const brand = userAgentData?.brands?.find((one) => one.brand === 'Chromium')
  if (brand) return named('chromium', brand.version)
  for (const [engine, pattern] of patterns) {
    const version = pattern.exec(userAgent)?.[1]
    if (version !== undefined) return named(engine, version)
  }
  return undefined
}

/** In this order: Chromium also calls itself Safari, and everything Mozilla. */
const patterns = [
  ['firefox', /\bFirefox\/(\d{1,6})/],
  ['chromium', /Chrom(?:e|ium)\/(\d{1,6})/],
  ['webkit', /\bAppleWebKit\/.*\bVersion\/(\d{1,6})/],
] as const

function named(engine: string, version: string): string {
  return `${engine} ${version.slice(0, 6)}`
}
