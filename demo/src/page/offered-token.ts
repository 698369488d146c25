import { keepToken, showRunInAddress } from './address.ts'
import { page } from './state.ts'

/** Asks the person whether this browser is to use a token that came with a link; until then it goes on with what it has. */
export function offerToken(token: string): void {
  page.set({ offered: token, dialog: 'token' })
}

/** Uses the token that was offered, and follows its link. Another token means another edge: the page starts over. */
export function takeToken(): void {
  const { offered } = page.get()
  if (offered === undefined) return
  keepToken(offered)
  location.reload()
}

/** Leaves all as it is; the link is not followed. */
export function declineToken(): void {
  page.set({ offered: undefined, dialog: undefined })
  showRunInAddress(page.get().run)
}
