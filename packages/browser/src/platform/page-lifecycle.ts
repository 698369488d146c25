/**
 * Tells when the page may stop running without being closed. A page in the back/forward cache that held a Web Lock
 * would starve every other tab (Chromium 156: not granted in 75 s, 2026-11), so it lets go first. `hide` is often the last that a
 * page hears: a phone ends pages that are not shown without another word.
 */
export function watchLifecycle(on: {
  readonly hide: () => void
  readonly freeze: () => void
  readonly thaw: () => void
}): () => void {
  if (typeof document === 'undefined') return () => undefined
  const thawIfPersisted = ({ persisted }: PageTransitionEvent): void => {
    if (persisted) on.thaw()
  }
  const hideIfHidden = (): void => {
    if (document.visibilityState === 'hidden') on.hide()
  }
  document.addEventListener('visibilitychange', hideIfHidden)
  addEventListener('pagehide', on.freeze)
  addEventListener('pageshow', thawIfPersisted)
  document.addEventListener('freeze', on.freeze)
  document.addEventListener('resume', on.thaw)
  return () => {
    document.removeEventListener('visibilitychange', hideIfHidden)
    removeEventListener('pagehide', on.freeze)
    removeEventListener('pageshow', thawIfPersisted)
    document.removeEventListener('freeze', on.freeze)
    document.removeEventListener('resume', on.thaw)
  }
}
