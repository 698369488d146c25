import { describe, expect, it } from 'vitest'
import { downTimeWatch, type Sign } from './measure.ts'

const sign = (now: number, more: Partial<Sign> = {}): Sign => ({
  now,
  epoch: 0,
  head: 1,
  chars: 0,
  phase: 'running',
  ...more,
})

describe('downTimeWatch()', () => {
  it('measures a move from the last sign of work at the source to the first at the target', () => {
    const watch = downTimeWatch()
    watch.see(sign(0))
    watch.see(sign(900, { chars: 10 }))
    watch.begin('move', 1_000)
    expect(watch.see(sign(1_050, { chars: 12 }))).toBeUndefined()
    expect(watch.see(sign(1_100, { chars: 12, phase: 'moving' }))).toBeUndefined()
    expect(watch.see(sign(1_150, { chars: 12, epoch: 1, phase: 'catching up' }))).toBeUndefined()
    expect(watch.see(sign(1_250, { chars: 14, epoch: 1, head: 2 }))).toEqual({
      what: 'move',
      ms: 200,
      chars: 12,
    })
  })

  it('measures from the button when the run was waiting', () => {
    const watch = downTimeWatch()
    watch.see(sign(0, { phase: 'waiting' }))
    watch.begin('move', 60_000)
    expect(watch.see(sign(60_100, { epoch: 1, phase: 'waiting' }))).toEqual({ what: 'move', ms: 100 })
  })

  it('measures a kill up to the first sign of life', () => {
    const watch = downTimeWatch()
    watch.see(sign(0))
    watch.see(sign(100, { chars: 5 }))
    watch.begin('kill', 200)
    expect(watch.see(sign(300, { chars: 5, phase: 'idle' }))).toBeUndefined()
    expect(watch.see(sign(350, { chars: 5, phase: 'running' }))).toEqual({ what: 'kill', ms: 250, chars: 5 })
  })
})
