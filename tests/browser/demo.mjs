// SPDX-License-Identifier: Apache-2.0
// The demo world in a browser: four nodes, moving charts, and a broken link seen within five seconds.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { assert, launch, missing, runAll, start, until, watchedPage } from './lib.mjs';

const programs = process.argv[2];
const namespaces = spawnSync('unshare', ['--net', '--mount', 'true']).status === 0;
const why = missing() ?? (process.getuid() !== 0 ? 'the demo world needs root' : namespaces ? undefined : 'no network namespaces here');
if (why) {
	console.log(`1..0 # SKIP ${why}`);
	process.exit(0);
}

const sonde = await start(programs, 'demo', ['--port', '0']);
const browser = await launch();
const { page } = await watchedPage(browser, sonde.url, { viewport: { width: 1400, height: 1000 } });
const demo = (...args) => {
	const done = spawnSync(join(programs, 'sonde'), ['demo', ...args, '--state', sonde.state], { encoding: 'utf8' });
	assert(done.status === 0, `sonde demo ${args.join(' ')}: ${done.stderr}`);
	return done.stdout;
};

const tests = [
	['four nodes are online', async () => {
		await page.goto(sonde.login_url);
		await until('four nodes online', async () => (await page.locator('tr[data-node]').filter({ hasText: 'online' }).count()) === 4);
	}],
	['every chart moves on real packets', async () => {
		const links = await page.locator('tr[data-node] a').evaluateAll((all) => all.map((a) => a.getAttribute('href')));
		for (const link of links) {
			await page.goto(new URL(link, sonde.url).href);
			const chart = page.locator('.smoke');
			await chart.waitFor();
			const before = Number(await chart.getAttribute('data-points'));
			await until(`two more points at ${link}`, async () => Number(await chart.getAttribute('data-points')) >= before + 2);
		}
	}],
	['flows are listed and can be searched', async () => {
		await page.goto(new URL('/flows?find=tcp', sonde.url).href);
		await until('TCP flows', async () => (await page.locator('tbody tr').filter({ hasText: 'tcp' }).count()) > 0);
		assert((await page.locator('tbody tr').filter({ hasText: 'udp' }).count()) === 0, 'the search lets UDP through');
	}],
	['a lossy link is seen within five seconds, and mended again', async () => {
		await page.goto(sonde.url);
		await page.locator('tr[data-node]').first().waitFor();
		const lossy = () => page.locator('a.bad, a.warn').filter({ hasText: 'loss' }).count();
		const link = JSON.parse(demo('status', '--json').split('\n')[0]).link;
		const before = await lossy();
		demo('break', 'loss', link, '60%');
		const began = Date.now();
		await until('loss in the mesh', async () => (await lossy()) > before, 5);
		console.log(`# seen after ${((Date.now() - began) / 1000).toFixed(1)} s`);
		demo('mend');
		await until('no more loss than before', async () => (await lossy()) <= before);
	}],
];

const failed = await runAll(tests);
await browser.close();
const status = await sonde.stop();
if (failed) console.log(`# sonde demo ended with ${status}: ${sonde.errors()}`.replaceAll('\n', '\n# '));
process.exit(failed ? 1 : 0);
