/**
 * True for an address that anybody may read: http or https, and no name or number of a private network. Deployed, a worker
 * reaches no private network anyway; `wrangler dev` runs on somebody's machine.
 */
export function isPublicAddress(url: URL): boolean {
  if (url.protocol !== 'https:' && url.protocol !== 'http:') return false
  if (url.username !== '' || url.password !== '') return false
  const host = url.hostname.toLowerCase().replace(/\.$/, '')
  if (host.startsWith('[')) return isPublicV6(host.slice(1, -1))
  if (/^\d+\.\d+\.\d+\.\d+$/.test(host)) return isPublicV4(host.split('.').map(Number))
  // A name without a dot is one of this network.
  return (
    host.includes('.') &&
    !/\.(localhost|local|internal|intranet|lan|home|corp|test|example|invalid|onion)$|\.home\.arpa$/.test(
      host,
    )
  )
}

/** The URL parser writes every form of an IPv4 address as four decimal numbers. */
function isPublicV4([a = 0, b = 0, c = 0]: readonly number[]): boolean {
  if (a === 0 || a === 10 || a === 127 || a >= 224) return false
  if (a === 100 && b >= 64 && b < 128) return false
  if (a === 169 && b === 254) return false
  if (a === 172 && b >= 16 && b < 32) return false
  if (a === 192 && (b === 168 || (b === 0 && (c === 0 || c === 2)) || (b === 88 && c === 99))) return false
  if (a === 198 && (b === 18 || b === 19 || (b === 51 && c === 100))) return false
  return !(a === 203 && b === 0 && c === 113)
}

/** Global unicast only, and none of the ranges that carry an IPv4 address inside. */
function isPublicV6(address: string): boolean {
  return /^[23][0-9a-f]{3}:/.test(address) && !/^(2002:|2001:0?:|2001:db8:|2001::)/.test(address)
}
