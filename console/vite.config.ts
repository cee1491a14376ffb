/** The build: everything under /console/, hashed, with nothing inline so that a strict content security policy holds. */
import { fileURLToPath } from 'node:url'
import tailwindcss from '@tailwindcss/vite'
import react from '@vitejs/plugin-react'
import type { ProxyOptions } from 'vite'
import { defineConfig } from 'vitest/config'

const server = process.env.AGENTRUNNER_URL ?? 'http://127.0.0.1:8787'
const proxied: ProxyOptions = {
  target: server,
  changeOrigin: true,
  // The server takes changes from its own pages only; behind this proxy, these are they.
  configure: (proxy) => void proxy.on('proxyReq', (request) => { if (request.hasHeader('origin')) request.setHeader('origin', server) }),
}

export default defineConfig({
  base: '/console/',
  plugins: [react(), tailwindcss()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    manifest: true,
    // The polyfill would be the one inline script; every browser that runs this target preloads by itself.
    modulePreload: { polyfill: false },
  },
  server: { host: '127.0.0.1', proxy: { '/v1': proxied, '/api': proxied, '/health': proxied, '/ready': proxied } },
  test: { environment: 'node', include: ['src/**/*.test.{ts,tsx}'], testTimeout: 10_000, restoreMocks: true },
})
