import { defaultClientConditions, defineConfig } from 'vite'
import { precachePlugin, sourcesPlugin } from './build/plugins.ts'

const page = `${import.meta.dirname}/index.html`
const serviceWorker = `${import.meta.dirname}/src/service-worker.ts`

export default defineConfig({
  root: import.meta.dirname,
  // The packages are taken from their sources, so that the page needs no build of them.
  resolve: { conditions: ['@waystone/source', ...defaultClientConditions] },
  plugins: [sourcesPlugin(), precachePlugin()],
  worker: { format: 'es' },
  build: {
    outDir: 'dist',
    emptyOutDir: true,
    target: 'es2024',
    sourcemap: true,
    rollupOptions: {
      input: { index: page, 'service-worker': serviceWorker },
      // A service worker rules the folder it is in, and keeps its name for ever.
      output: {
        entryFileNames: ({ name }) => (name === 'service-worker' ? '[name].js' : 'assets/[name]-[hash].js'),
      },
    },
  },
})
