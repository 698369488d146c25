import type { Schema } from '@waystone/core'

/** What a person says about a draft. */
export type Approval = { readonly approved: true } | { readonly approved: false; readonly remark: string }

const remarkCharsMax = 2_000

/** Checks an approval (Standard Schema). */
export const approval: Schema<Approval> = {
  '~standard': {
    version: 1,
    vendor: 'waystone-demo',
    validate(value) {
      if (typeof value === 'object' && value !== null && 'approved' in value) {
        if (value.approved === true) return { value: { approved: true } }
        const remark = 'remark' in value && typeof value.remark === 'string' ? value.remark.trim() : ''
        if (value.approved === false && remark !== '') {
          return { value: { approved: false, remark: remark.slice(0, remarkCharsMax) } }
        }
      }
      return { issues: [{ message: 'expected { approved: true }, or { approved: false } with a remark' }] }
    },
  },
}
