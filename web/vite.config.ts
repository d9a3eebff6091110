// SPDX-License-Identifier: Apache-2.0
import { env } from 'node:process';

import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

// In development the pages come from Vite and the data from a hub on this machine.
const hub = env.SONDE_URL ?? 'http://127.0.0.1:8080';

export default defineConfig({
	plugins: [svelte()],
	server: { proxy: { '/api': hub, '/login': hub } },
	build: {
		target: 'es2022',
		assetsInlineLimit: 0, // the Content-Security-Policy allows no data: addresses
		modulePreload: { polyfill: false },
		rollupOptions: {
			input: ['index.html', 'src/plain.css'],
			// The hub's own pages name their style as it is.
			output: { assetFileNames: ({ names }) => (names.includes('plain.css') ? 'plain.css' : 'assets/[name]-[hash][extname]') },
		},
	},
	test: { include: ['test/**/*.test.ts'], environment: 'node' },
});
