/** The figures of a tenant in the text format of Prometheus. */
export function metricsText(counts: readonly { readonly status: string; readonly runs: number }[]): Response {
  const lines = [
    '# HELP waystone_runs Runs of the tenant, by status.',
    '# TYPE waystone_runs gauge',
    ...counts.map(({ status, runs }) => `waystone_runs{status="${status}"} ${String(runs)}`),
  ]
  return new Response(`${lines.join('\n')}\n`, {
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8', 'cache-control': 'no-store' },
  })
}
