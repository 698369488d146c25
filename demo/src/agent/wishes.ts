/** What remarks ask for, as far as a writer without a model can follow. */
export interface Wishes {
  readonly quotations: number
  readonly code: boolean
}

const usual: Wishes = { quotations: 4, code: true }

/** Reads remarks, one a line; the newest one counts. */
export function wishesIn(remark: string): Wishes {
  return remark.split('\n').reduce<Wishes>((wishes, line) => {
    let { quotations, code } = wishes
    if (/\b(short(er)?|brief(er)?|less|fewer|concise)\b/i.test(line)) quotations = Math.max(1, quotations - 2)
    if (/\b(long(er)?|more|detail(s|ed)?)\b/i.test(line)) quotations = Math.min(8, quotations + 2)
    if (/\b(no|without|less|drop)\b[^.]{0,20}\b(code|examples?)\b/i.test(line)) code = false
    if (/\b(with|show|more|add)\b[^.]{0,20}\b(code|examples?)\b/i.test(line)) code = true
    return { quotations, code }
  }, usual)
}
