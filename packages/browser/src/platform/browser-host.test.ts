import { describe, expect, it } from 'vitest'
import { browserHost } from './browser-host.ts'

const chromium =
  'Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36'
const safari =
  'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15'

describe('browserHost()', () => {
  it.each([
    ['chromium 156', chromium],
    ['chromium 156', `${chromium} Edg/156.0.0.0`],
    ['chromium 156', chromium.replace('Chrome', 'HeadlessChrome')],
    ['firefox 153', 'Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0'],
    ['webkit 26', safari],
    [undefined, 'something else/1.0'],
  ])('tells %s by its user agent, and nothing that tells a person', (host, userAgent) => {
    expect(browserHost({ userAgent })).toBe(host)
  })

  it('believes the brands of a browser before its user agent', () => {
    const brands = [
      { brand: 'Not;A=Brand', version: '8' },
      { brand: 'Chromium', version: '157' },
    ]
    expect(browserHost({ userAgent: chromium, userAgentData: { brands } })).toBe('chromium 157')
  })

  it('goes by the user agent where somebody has taken the brands away', () => {
    expect(browserHost({ userAgent: chromium, userAgentData: {} })).toBe('chromium 156')
  })
})
