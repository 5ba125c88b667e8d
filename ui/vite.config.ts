import { defineConfig } from 'vitest/config';
import { svelte } from '@sveltejs/vite-plugin-svelte';

export default defineConfig(({ mode }) => ({
  plugins: [svelte()],
  clearScreen: false,
  // `node dev/fake-api.mjs` answers here while developing without a gateway.
  server: { port: 5173, strictPort: true, proxy: { '/api': 'http://127.0.0.1:8788' } },
  // WebKitGTK and WKWebView. Assets stay files: the content security policy allows no data: scripts or fonts.
  build: { target: ['es2022', 'safari15'], assetsInlineLimit: 0, modulePreload: { polyfill: false } },
  // Without this condition Svelte resolves to its server build inside Vitest.
  resolve: mode === 'test' ? { conditions: ['browser'] } : {},
  test: { environment: 'jsdom', globals: true, setupFiles: ['./tests/setup.ts'], include: ['tests/**/*.test.ts'], testTimeout: 30_000 },
}));
