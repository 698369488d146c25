import { defaultClientConditions, defineConfig } from 'vite'

export default defineConfig({
  root: import.meta.dirname,
  // The packages are taken from their sources, so that the page needs no build of them.
  resolve: { conditions: ['@waystone/source', ...defaultClientConditions] },
  worker: { format: 'es' },
  build: { outDir: 'dist', emptyOutDir: true, target: 'es2024', sourcemap: true },
})
