// The tab that stays while others are opened, closed and crash: WebKitGTK's MiniBrowser has no other hand for that.
const query = new URLSearchParams(location.search)
const control = query.get('control') ?? ''
const life = query.get('life') ?? ''
const post = (path: string, body: object): Promise<unknown> =>
  fetch(`${control}/${path}`, { method: 'POST', body: JSON.stringify({ life, ...body }) })

const commands = new EventSource(`${control}/commands?life=${life}`)
commands.onmessage = ({ data }: MessageEvent<string>) => {
  const { id, args } = JSON.parse(data) as { readonly id: number; readonly args: readonly string[] }
  // Without an opener the new tab has a process of its own.
  window.open(args[0], '_blank', 'noopener')
  void post('reply', { id })
}
void post('hello', { opened: performance.timeOrigin, device: '', storage: '' })
