export { applyDelta } from './apply.ts'
export { diff } from './diff.ts'
export { type Delta, type Op, parseDelta, type Path } from './ops.ts'
