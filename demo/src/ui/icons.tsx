import type { ComponentChildren, JSX } from 'preact'

/** A line drawing of 20 by 20; says nothing to screen readers. */
function icon(drawing: ComponentChildren): () => JSX.Element {
  return () => (
    <svg class="icon" viewBox="0 0 20 20" width="20" height="20" aria-hidden="true" focusable="false">
      {drawing}
    </svg>
  )
}

export const CloudIcon = icon(<path d="M6 15h8.5a3.2 3.2 0 0 0 .4-6.4A5 5 0 0 0 5.3 9.2 3 3 0 0 0 6 15Z" />)
export const LaptopIcon = icon(<path d="M4.5 4.5h11v8h-11zM2.5 15.5h15" />)
export const PhoneIcon = icon(<path d="M6.5 2.5h7v15h-7zM9 15h2" />)
export const ForkIcon = icon(
  <>
    <circle cx="5.5" cy="4.5" r="2" />
    <circle cx="5.5" cy="15.5" r="2" />
    <circle cx="14.5" cy="6.5" r="2" />
    <path d="M5.5 6.5v7M14.5 8.5c0 3.5-9 1.5-9 5" />
  </>,
)
export const BoltIcon = icon(<path d="M11 2.5 4.5 11.5H9L8.5 17.5 15.5 8.5H11z" />)
export const ReloadIcon = icon(<path d="M15.5 6.5A6.5 6.5 0 1 0 16.5 11M16 3v4h-4" />)
export const SunIcon = icon(
  <>
    <circle cx="10" cy="10" r="3.5" />
    <path d="M10 1.5v2M10 16.5v2M1.5 10h2M16.5 10h2M4 4l1.4 1.400M14.6 14.6 16 16M16 4l-1.4 1.400M5.4 14.6 4 16" />
  </>,
)
export const MoonIcon = icon(<path d="M16.5 12A7 7 0 0 1 8 3.5a7 7 0 1 0 8.5 8.5Z" />)
export const GearIcon = icon(
  <>
    <circle cx="10" cy="10" r="2.5" />
    <path d="M10 2.5v2.200M10 15.300v2.200M2.5 10h2.200M15.3 10h2.200M4.7 4.700l1.5 1.5M13.8 13.800l1.5 1.5M15.3 4.700l-1.5 1.5M6.2 13.800l-1.5 1.5" />
  </>,
)
export const CloseIcon = icon(<path d="M5 5l10 10M15 5 5 15" />)
export const CheckIcon = icon(<path d="M4 10.5 8 14.5 16 5.5" />)
export const DownloadIcon = icon(<path d="M10 3v9M6.5 9 10 12.5 13.5 9M4 16.5h12" />)
export const DocumentIcon = icon(<path d="M5 2.5h6.5L15 6v11.5H5zM11.5 2.5V6H15" />)
export const ChevronIcon = icon(<path d="M7.5 5 12.5 10 7.5 15" />)

/** The sign of the project: three stones on one another. */
export function Waystones(): JSX.Element {
  return (
    <svg class="waystones" viewBox="0 0 32 32" width="30" height="30" aria-hidden="true" focusable="false">
      <ellipse cx="16" cy="25" rx="12" ry="4.5" />
      <ellipse cx="15" cy="16.5" rx="8.5" ry="4" />
      <ellipse cx="17" cy="9" rx="5" ry="3.3" />
    </svg>
  )
}
