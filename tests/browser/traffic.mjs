// SPDX-License-Identifier: Apache-2.0
// The Traffic page, over what a real meter sees of this browser's own requests on loopback.
import { get } from 'node:http';

import { assert, becomes, isolate, launch, missing, runAll, start, tooWide, until, watchedPage } from './lib.mjs';

const why = missing();
if (why) {
	console.log(`1..0 # SKIP ${why}`);
	process.exit(0);
}

isolate();
const sonde = await start(process.argv[2], 'up', ['--listen', '127.0.0.1:0', '--no-defaults']);
const browser = await launch();
const { page, complaints, foreign, visit } = await watchedPage(browser, sonde.url);

const call = (method, path, body) =>
	page.evaluate(
		async ([how, where, what]) => {
			const answer = await fetch(where, { method: how, headers: { 'Sonde-Request': '1', 'Content-Type': 'application/json' }, body: what && JSON.stringify(what) });
			return { status: answer.status, json: await answer.json() };
		},
		[method, path, body],
	);
const flows = async () => (await call('GET', '/api/v1/datasets/flow/rows?limit=1000&application=http')).json.items;

// A connection of its own: those of the browser may be older than the meter.
const knock = () => new Promise((done) => get(sonde.url, { agent: false }, (answer) => answer.resume().on('end', done)).on('error', done));

const tests = [
	['a meter on loopback reports the requests of this browser', async () => {
		await page.goto(sonde.login_url);
		await page.getByRole('heading', { name: 'Overview' }).waitFor();
		const asked = await call('POST', '/api/v1/measurements', { capability: 'flow', parameters: { interface: 'lo' }, when: 'now ... future' });
		assert(asked.status === 201, JSON.stringify(asked));
		await until('flows of HTTP', async () => {
			await knock();
			return (await flows()).length > 0;
		});
	}],
	['the rates are drawn, and said in numbers', async () => {
		await visit('/flows?range=-5m');
		await page.locator('.rates canvas').waitFor();
		await until('bands', async () => Number(await page.locator('.rates').getAttribute('data-bands')) > 0);
		await page.getByRole('region', { name: 'Rate' }).getByRole('cell', { name: 'http', exact: true }).waitFor();
	}],
	['the weightiest are put together as one likes', async () => {
		await page.getByLabel('Put together by').selectOption('s_ip');
		await page.getByRole('region', { name: 'Most of it' }).getByRole('button', { name: '127.0.0.1', exact: true }).waitFor();
		await becomes('s_ip', () => new URL(page.url()).searchParams.get('by'));
	}],
	['a click on a value narrows the whole page to it', async () => {
		await page.getByRole('region', { name: 'Most of it' }).getByRole('button', { name: '127.0.0.1', exact: true }).click();
		await until('the search field', async () => (await page.getByRole('searchbox', { name: /Search flows/ }).inputValue()) === 's_ip:=127.0.0.1');
		await page.getByRole('searchbox', { name: /Search flows/ }).fill('');
	}],
	['a distribution has its percentiles', async () => {
		await page.getByLabel('Of', { exact: true }).selectOption('duration_seconds');
		const region = page.getByRole('region', { name: 'Distribution' });
		for (const name of ['median', '90 %', '99 %']) await region.getByText(name, { exact: true }).waitFor();
	}],
	['a flow tells everything that is known of it, with what it means', async () => {
		await page.locator('tbody tr').filter({ hasText: 'http' }).getByTitle('Everything about this flow').first().click();
		const dialog = page.getByRole('dialog');
		await dialog.getByText('client address').waitFor();
		await dialog.getByRole('row', { name: /application/ }).waitFor();
		await dialog.getByRole('button', { name: 'Close' }).click();
		await dialog.waitFor({ state: 'hidden' });
	}],
	['a time range that stands still counts for the list of flows, too', async () => {
		const now = Math.floor(Date.now() / 1000);
		const asked = page.waitForRequest((request) => /\/datasets\/flow\/rows\?.*until=/.test(request.url()));
		await visit(`/flows?range=${now - 200}..${now - 100}&by=s_ip`);
		await asked;
		await becomes(true, () => page.getByLabel('follow').isDisabled());
		await visit('/flows?range=-5m&by=s_ip');
		await page.getByRole('region', { name: 'Most of it' }).waitFor();
	}],
	['the same is there as a command', async () => {
		await page.getByRole('region', { name: 'Most of it' }).getByRole('button', { name: 'As command' }).click();
		await page.getByText('sonde flows --top s_ip', { exact: false }).waitFor();
		await page.getByRole('dialog').getByRole('button', { name: 'Close' }).click();
	}],
	['a narrow screen needs no sideways scrolling', async () => {
		await page.setViewportSize({ width: 360, height: 740 });
		await visit('/flows?range=-5m');
		await page.locator('.rates canvas').waitFor();
		assert((await tooWide(page)) <= 0, `${await tooWide(page)} pixels too wide`);
	}],
	['no page asked anybody but the hub', async () => assert(foreign.length === 0, foreign.join(' '))],
	['no page complained', async () => assert(complaints.length === 0, complaints.join('\n'))],
];

const failed = await runAll(tests);
await browser.close();
const status = await sonde.stop();
if (status !== 0) console.log(`# sonde up ended with ${status}: ${sonde.errors()}`);
process.exit(failed || status !== 0 ? 1 : 0);
