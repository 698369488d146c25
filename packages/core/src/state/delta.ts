export { applyDelta } from './apply.ts'
export { provenDiff as diff } from './proven-diff.ts'
export { type Delta, type Op, parseDelta, type Path } from './ops.ts'
