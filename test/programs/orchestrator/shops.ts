/** What each shop says: three are sold out. */
export const prices = ['70', '62', 'sold out', '55', '81', 'sold out', '48', '77', '59', 'sold out']
/** Those that are sold out. */
export const soldOut = ['shop-2', 'shop-5', 'shop-9']
/** What they are asked when nobody asks twice. */
export const requestsOfAll = prices.flatMap((price, n) => [
  `price shop-${String(n)}`,
  ...(price === 'sold out' ? [] : [`hold shop-${String(n)}`]),
])

/** The request of an effect, by its path. */
export function requestOf(path: string): string {
  return decodeURIComponent(path.slice('/effect/'.length))
}

/** What a shop says to a request. */
export function answerTo(request: string): string {
  const [verb, shop = ''] = request.split(' ')
  return verb === 'hold' ? `held lamps at ${shop}` : (prices[Number(shop.slice('shop-'.length))] ?? 'no shop')
}
