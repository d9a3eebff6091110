// SPDX-License-Identifier: Apache-2.0
// The pages as a person uses them, against a real hub and node that ping this machine.
import { join } from 'node:path';

import { apiOf, assert, becomes, isolate, launch, missing, runAll, start, tooWide, until, watchedPage } from './lib.mjs';

const why = missing();
if (why) {
	console.log(`1..0 # SKIP ${why}`);
	process.exit(0);
}

isolate();
const sonde = await start(process.argv[2], 'up', ['--listen', '127.0.0.1:0', '--no-defaults', '127.0.0.1', '::1']);
const browser = await launch();
const api = apiOf(join(sonde.state, 'hub', 'hub.json'));
const { page, complaints, foreign, visit } = await watchedPage(browser, sonde.url);

const chart = () => page.locator('.smoke');
const points = async () => Number(await chart().getAttribute('data-points'));

const tests = [
	['a stranger sees the login page and nothing else', async () => {
		const other = await browser.newPage();
		await other.goto(sonde.url);
		await other.getByRole('button', { name: 'Log in' }).waitFor();
		assert((await other.getByRole('navigation').count()) === 0, 'the pages are listed to a stranger');
		await other.close();
	}],
	['the one-time link logs in and leads to the overview', async () => {
		await page.goto(sonde.login_url);
		await page.getByRole('heading', { name: 'Overview' }).waitFor();
	}],
	['the link works only once', async () => {
		const other = await (await browser.newContext()).newPage();
		const answer = await other.goto(sonde.login_url);
		assert(answer.status() >= 400, `a used link answered ${answer.status()}`);
		await other.context().close();
	}],
	['the overview shows the node online with a round-trip time', async () => {
		const row = page.locator('tr[data-node]').first();
		await row.getByText('online').waitFor();
		await until('a round-trip time in the list', async () => /[µm]s/.test(await row.innerText()));
	}],
	['the map is drawn', async () => {
		await until('more than one colour on the canvas', () =>
			page.evaluate(() => {
				const canvas = document.querySelector('.map canvas');
				const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
				return new Set(Array.from({ length: 2000 }, (_, i) => data[Math.floor((i * data.length) / 2000 / 4) * 4])).size > 1;
			}));
	}],
	['the chart of a node moves by itself', async () => {
		await page.locator('tr[data-node] a').first().click();
		await chart().waitFor();
		const before = await points();
		await until('two more points', async () => (await points()) >= before + 2);
	}],
	['another target is one click away and has its own address', async () => {
		await page.getByRole('button', { name: '::1', exact: true }).click();
		await page.getByRole('heading', { name: 'Round-trip time and loss to ::1' }).waitFor();
		await becomes('::1', () => new URL(page.url()).searchParams.get('target'));
		await page.reload();
		await page.getByRole('heading', { name: 'Round-trip time and loss to ::1' }).waitFor();
	}],
	['dragging over the chart zooms, and the range is in the address', async () => {
		const fixed = () => /range=\d+\.\.\d+/.test(decodeURIComponent(page.url()));
		await until('a fixed range', async () => {
			// The page may still grow, and the chart move away below the pointer: then once more.
			const box = await page.locator('.smoke .u-over').boundingBox();
			await page.mouse.move(box.x + box.width * 0.6, box.y + 40);
			await page.mouse.down();
			await page.mouse.move(box.x + box.width * 0.9, box.y + 60, { steps: 5 });
			await page.mouse.up();
			return until('the address', fixed, 1);
		});
		await page.getByRole('button', { name: '5 min', exact: true }).click();
	}],
	['the view says how to get the same from the command line', async () => {
		await page.getByRole('button', { name: 'As command' }).first().click();
		await page.getByRole('dialog').getByText('sonde results ping').waitFor();
		await page.keyboard.press('Escape');
	}],
	['everything is reachable by keyboard', async () => {
		await page.goto(sonde.url);
		await page.getByRole('heading', { name: 'Overview' }).waitFor();
		await page.keyboard.press('/');
		await page.keyboard.type('traffic');
		await page.keyboard.press('Enter');
		await page.getByRole('heading', { name: 'Traffic' }).waitFor();
		await page.locator('nav a', { hasText: 'Fleet' }).focus();
		await page.keyboard.press('Enter');
		await page.getByRole('heading', { name: 'Fleet' }).waitFor();
	}],
	['a filter is in the address, and Back comes back to it', async () => {
		await visit('/nodes');
		const filter = () => page.getByRole('searchbox', { name: 'Filter nodes' });
		await filter().fill('no such');
		await page.getByText('No node matches the filter').waitFor();
		const name = (await api('GET', '/nodes')).items[0].name;
		await filter().fill(name);
		await page.getByRole('region', { name: 'Nodes' }).getByRole('link', { name, exact: true }).click();
		await page.getByRole('heading', { name, level: 1 }).waitFor();
		await becomes(`${name} · Sonde`, () => page.title());
		await page.goBack();
		await until('the filter', async () => (await filter().inputValue()) === name);
	}],
	['what a problem of the API means is a page for everybody', async () => {
		const answer = await fetch(new URL('/api/v1/nodes/nonsense', sonde.url));
		const problem = await answer.json();
		const stranger = await watchedPage(browser, sonde.url);
		await stranger.visit(problem.type);
		await stranger.page.getByRole('heading', { name: problem.code, level: 1 }).waitFor();
		await stranger.page.getByText('sonde user token add').waitFor();
		await stranger.page.getByRole('link', { name: 'All problems' }).click();
		await stranger.page.getByRole('link', { name: 'not-found', exact: true }).waitFor();
		assert(stranger.complaints.length === 0, stranger.complaints.join('\n'));
		await stranger.page.context().close();
	}],
	['light and dark are both there and remembered', async () => {
		await page.getByRole('heading', { name: 'Fleet' }).waitFor();
		const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
		const button = page.getByRole('button', { name: /Colours/ });
		await button.click();
		await becomes('light', theme);
		await button.click();
		await becomes('dark', theme);
		await page.reload();
		await page.getByRole('heading', { name: 'Fleet' }).waitFor();
		await becomes('dark', theme);
	}],
	['a narrow screen needs no sideways scrolling', async () => {
		await page.setViewportSize({ width: 360, height: 740 });
		for (const path of ['/', '/nodes', '/flows', '/problems']) {
			await visit(path);
			await page.getByRole('heading', { level: 1 }).waitFor();
			assert((await tooWide(page)) <= 0, `${path} is ${await tooWide(page)} pixels too wide`);
		}
		await page.setViewportSize({ width: 1280, height: 860 });
	}],
	['no page asked anybody but the hub', async () => assert(foreign.length === 0, foreign.join(' '))],
	['no page complained', async () => assert(complaints.length === 0, complaints.join('\n'))],
];

const failed = await runAll(tests);
await browser.close();
const status = await sonde.stop();
if (failed) console.log(`# sonde up ended with ${status}: ${sonde.errors()}`.replaceAll('\n', '\n# '));
process.exit(failed ? 1 : 0);
