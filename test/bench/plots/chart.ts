/** One bar. */
export interface Bar {
  readonly label: string
  readonly value: number
  /** Bars of one group stand together, and have the colours of their places in it. */
  readonly group?: string
}

/** Horizontal bars on one scale. */
export interface Chart {
  /** Kebab-case; names the file. */
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly bars: readonly Bar[]
  /** A line across all bars. */
  readonly aim?: number
}

const [width, labelWidth, valueWidth] = [860, 270, 110]
const [barHeight, gap, groupGap, top] = [18, 6, 26, 56]
/** From this ratio between the longest and the shortest bar on, the scale is logarithmic: the short ones could not be seen. */
const logFrom = 100
const colours = 4

/** A chart as an SVG image, in the colours of light and dark pages. */
export function drawChart({ title, unit, bars, aim }: Chart): string {
  const values = [...bars.map(({ value }) => value), ...(aim === undefined ? [] : [aim])]
  const [min, max] = [Math.min(...values.filter((value) => value > 0)), Math.max(...values)]
  const isLog = max / min > logFrom
  const span = width - labelWidth - valueWidth
  const floor = isLog ? Math.floor(Math.log10(min)) : 0
  const lengthOf = (value: number): number => {
    if (value <= 0) return 0
    return isLog ? (span * (Math.log10(value) - floor)) / (Math.log10(max) - floor) : (span * value) / max
  }
  const parts: string[] = []
  let y = top
  let group: string | undefined
  let place = 0
  for (const bar of bars) {
    if (bar.group !== group) {
      y += group === undefined ? 0 : gap
      parts.push(`<text class="group" x="0" y="${String(y + 13)}">${escaped(bar.group ?? '')}</text>`)
      y += groupGap
      group = bar.group
      place = 0
    }
    const length = Math.max(1, lengthOf(bar.value))
    const middle = String(y + barHeight - 5)
    parts.push(
      `<text class="label" x="${String(labelWidth - 8)}" y="${middle}">${escaped(bar.label)}</text>`,
      `<rect class="c${String(bar.group === undefined ? 0 : place % colours)}" x="${String(labelWidth)}" y="${String(y)}" width="${length.toFixed(1)}" height="${String(barHeight)}" rx="2"/>`,
      `<text x="${(labelWidth + length + 6).toFixed(1)}" y="${middle}">${shown(bar.value)}</text>`,
    )
    place += 1
    y += barHeight + gap
  }
  if (aim !== undefined) {
    const x = (labelWidth + lengthOf(aim)).toFixed(1)
    parts.push(
      `<line x1="${x}" x2="${x}" y1="${String(top - 6)}" y2="${String(y)}"/>`,
      `<text class="aim" x="${x}" y="${String(y + 14)}">aim: ${shown(aim)}</text>`,
    )
  }
  const height = y + (aim === undefined ? 8 : 24)
  const scale = `${unit}${isLog ? ', logarithmic' : ''}`
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${String(width)} ${String(height)}" role="img" aria-label="${escaped(title)}">`,
    `<style>${style}</style>`,
    `<text class="title" x="0" y="18">${escaped(title)}</text>`,
    `<text class="unit" x="0" y="38">${escaped(scale)}</text>`,
    ...parts,
    '</svg>',
  ].join('\n')}\n`
}

const style = [
  'text{font:13px system-ui,sans-serif;fill:#1f2328}',
  '.title{font-size:16px;font-weight:600}.unit,.aim{fill:#59636e}.group{font-weight:600}',
  '.label{text-anchor:end}.aim{text-anchor:middle}',
  'line{stroke:#59636e;stroke-dasharray:4 3}',
  '.c0{fill:#2f6fb7}.c1{fill:#8a63c9}.c2{fill:#3f8f6b}.c3{fill:#b9772e}',
  '@media(prefers-color-scheme:dark){text{fill:#e6edf3}.unit,.aim{fill:#9198a1}line{stroke:#9198a1}',
  '.c0{fill:#5a9be0}.c1{fill:#a98ae0}.c2{fill:#5db58d}.c3{fill:#d99a55}}',
].join('')

/** Three significant digits, and all of those before the point. */
export function shown(value: number): string {
  const short = Math.abs(value) < 1_000 ? Number(value.toPrecision(3)) : Math.round(value)
  return short.toLocaleString('en-US', { maximumFractionDigits: 6 })
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${String(sign.charCodeAt(0))};`)
}
