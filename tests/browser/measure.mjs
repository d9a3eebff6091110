// SPDX-License-Identifier: Apache-2.0
// Measuring as a person does it: choose, fill in, look, stop, take away; against a real hub and node.
import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { apiOf, assert, becomes, isolate, launch, missing, runAll, start, tooWide, until, watchedPage } from './lib.mjs';

const why = missing();
if (why) {
	console.log(`1..0 # SKIP ${why}`);
	process.exit(0);
}

isolate();
const programs = process.argv[2];
const sonde = await start(programs, 'up', ['--listen', '127.0.0.1:0', '--no-defaults', '127.0.0.1']);
const browser = await launch();
const { page, complaints, foreign, visit } = await watchedPage(browser, sonde.url);
const api = apiOf(join(sonde.state, 'hub', 'hub.json'));

const dialog = () => page.locator('dialog[open]');
const targets = () => page.getByLabel(/^targets/);
const count = () => page.getByLabel('count', { exact: true });
const plan = () => page.getByRole('region', { name: 'What it would mean' });
const results = () => page.getByRole('region', { name: 'Results', exact: true });
const rows = () => results().locator('tbody tr').count();
const state = (word) => page.locator('.head [role="status"]').getByText(word).waitFor();
const measure = async () => {
	await page.getByRole('button', { name: 'Measure', exact: true }).click();
	await page.waitForURL(/\/measurements\//);
};

const tests = [
	['what can be measured is listed by kind, and who can', async () => {
		await page.goto(sonde.login_url);
		await page.getByRole('navigation', { name: 'Pages' }).getByText('Measure').click();
		const row = page.locator('details', { hasText: 'Methods of nodes' }).locator('tr').filter({ has: page.getByRole('link', { name: 'ping', exact: true }) });
		await row.getByText('1 of 1').waitFor();
		// Without an address beside loopback a node has nothing to offer under these names.
		if ((await api('GET', '/capabilities/ping-average-ip4').catch(() => undefined)) === undefined) return;
		const views = page.locator('details', { hasText: 'The same under mPlane names' });
		assert(!(await views.getByRole('link', { name: 'ping-average-ip4', exact: true }).isVisible()), 'views are not folded');
		await views.locator('summary').click();
		await views.getByRole('link', { name: 'ping-average-ip4', exact: true }).waitFor();
	}],
	['words and a node narrow the list, and both are in the address', async () => {
		await page.getByLabel('Filter capabilities').fill('bidirectional');
		await until('only flow', async () => (await page.locator('details a').allInnerTexts()).every((text) => ['flow', 'Measure'].includes(text)));
		await page.getByLabel('Filter capabilities').fill('nonsense');
		await page.getByText('No capability matches').waitFor();
		await page.getByRole('button', { name: /^Show all/ }).click();
		await page.getByRole('combobox', { name: 'Node', exact: true }).selectOption({ index: 1 });
		await until('the node in the address', () => new URL(page.url()).searchParams.get('node'));
		await page.reload();
		await page.getByRole('link', { name: 'ping', exact: true }).waitFor();
	}],
	['a form says what is wrong while one types, and what it would mean when nothing is', async () => {
		await visit('/measure/ping');
		await page.getByRole('heading', { name: 'ping', level: 1 }).waitFor();
		await plan().getByText('To be filled in: targets').waitFor();
		await count().fill('0');
		await page.getByText('allowed: 1 to 65535').waitFor();
		await becomes('true', () => count().getAttribute('aria-invalid'));
		await count().fill('2');
		await targets().fill('127.0.0.1, 127.0.0.2');
		await plan().getByText('2: 127.0.0.1, 127.0.0.2').waitFor();
		await plan().getByText('4 packets').waitFor();
	}],
	['schedules are chosen in words and said in numbers', async () => {
		await page.getByLabel('How often').selectOption('period');
		await page.getByLabel('Every').fill('never');
		await page.getByText('days, hours, minutes and seconds').waitFor();
		await page.getByLabel('Every').fill('10s');
		await page.getByLabel('For', { exact: true }).fill('1m');
		await plan().getByText('every 10s for 1m').waitFor();
		await plan().getByText('28 packets').waitFor(); // 7 runs, 2 targets, 2 each
		await page.getByLabel('How often').selectOption('cron');
		await page.getByLabel('Days').selectOption('1-5');
		await page.getByLabel('Hours').fill('8-17');
		await plan().getByText('without end, Monday to Friday').waitFor();
		await page.getByLabel('How often').selectOption('once');
	}],
	['the form is in its address', async () => {
		await plan().getByText('4 packets').waitFor();
		await until('the fields in the address', () => new URL(page.url()).searchParams.get('count') === '2');
		await page.reload();
		await becomes('127.0.0.1, 127.0.0.2', () => targets().inputValue());
		await becomes('2', () => count().inputValue());
	}],
	['the form is a command, curl and Python, and all of them work', async () => {
		await targets().fill('127.0.0.1');
		await page.getByLabel('Name').fill(`it's "quoted"`);
		await page.getByRole('button', { name: 'As command' }).click();
		const texts = await until('three texts', async () => {
			const found = await dialog().locator('pre').allInnerTexts();
			assert(found.length === 3 && found[0].startsWith('sonde measure ping 127.0.0.1 count=2 --name'), found.join('\n'));
			return found;
		});
		await page.keyboard.press('Escape');
		const { token } = await api('POST', '/tokens', { label: 'dialog' });
		const file = join(sonde.state, 'token');
		writeFileSync(file, token, { mode: 0o600 });
		const env = { ...process.env, PATH: `${programs}:${process.env.PATH}`, SONDE_URL: sonde.url, SONDE_TOKEN: token, SONDE_TOKEN_FILE: file };
		const run = (...words) => spawnSync(words[0], words.slice(1), { env, encoding: 'utf8', timeout: 240000 });
		for (const done of [run('sh', '-c', texts[0]), run('sh', '-c', `${texts[1]} --fail --silent --show-error`), run('python3', '-c', texts[2])]) {
			assert(done.status === 0 || done.error?.code === 'ENOENT', `${done.status}: ${done.stderr}`);
		}
		const { items } = await api('GET', '/measurements?capability=ping');
		assert(items.filter((m) => m.name === `it's "quoted"`).length >= 2, JSON.stringify(items.map((m) => m.name)));
	}],
	['one click measures, and the result appears by itself', async () => {
		await measure();
		await results().getByText('127.0.0.1').first().waitFor();
		await state('done');
		await page.getByRole('region', { name: 'Providers' }).getByText('done').waitFor();
		await becomes('1', () => page.locator('[data-points]').getAttribute('data-points'));
	}],
	['the results can be taken away', async () => {
		const [file] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download as CSV' }).click()]);
		const lines = readFileSync(await file.path(), 'utf8').trim().split('\n');
		assert(lines.length === 2 && lines[0].startsWith('time,node,'), lines.join('\n'));
		const [json] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Download as JSON Lines' }).click()]);
		assert(JSON.parse(readFileSync(await json.path(), 'utf8')).target === '127.0.0.1', 'not the row');
	}],
	['measuring again begins with what was asked', async () => {
		await page.getByRole('link', { name: 'Measure again' }).click();
		await becomes('127.0.0.1', () => targets().inputValue());
		await becomes('2', () => count().inputValue());
		await becomes(`it's "quoted"`, () => page.getByLabel('Name').inputValue());
	}],
	['a standing measurement gives more and more results, in table and chart, until it is stopped', async () => {
		await count().fill('1');
		await page.getByLabel('How often').selectOption('standing');
		await page.getByLabel('Every').fill('1s');
		await page.getByLabel('Name').fill('heartbeat');
		await measure();
		await until('three results', async () => (await rows()) >= 3);
		const drawn = async () => Number(await page.locator('[data-points]').getAttribute('data-points'));
		const before = await drawn();
		await until('two more points', async () => (await drawn()) >= before + 2);
		await page.getByRole('cell', { name: /µs|ms/ }).first().waitFor();
		page.once('dialog', (question) => question.accept());
		await page.getByRole('button', { name: 'Stop …' }).click();
		await state('stopped');
		await becomes(0, () => page.getByRole('button', { name: 'Stop …' }).count());
	}],
	['the list knows what runs and what has ended, and follows it', async () => {
		await visit('/measure?show=running');
		const list = page.getByRole('region', { name: 'Measurements' });
		await list.getByRole('link').first().waitFor();
		await becomes(0, () => list.getByRole('link', { name: 'heartbeat' }).count());
		const { id } = await api('POST', '/measurements', { capability: 'ping', parameters: { targets: ['127.0.0.1'] }, when: 'now ... future / 5s', name: 'from elsewhere' });
		await list.getByRole('link', { name: 'from elsewhere' }).waitFor();
		await api('POST', `/measurements/${id}/stop`, {});
		await list.getByRole('link', { name: 'from elsewhere' }).waitFor({ state: 'detached' });
		await list.getByRole('button', { name: 'ended' }).click();
		await list.getByRole('link', { name: 'heartbeat' }).waitFor();
	}],
	['what is never probed is refused before it is asked for, with the reason', async () => {
		await visit('/measure/ping?targets=224.0.0.1');
		await plan().getByText('is never probed').waitFor();
		await until('a button that does not invite to try', () => page.getByRole('button', { name: 'Measure', exact: true }).isDisabled());
	}],
	['a measurement and a capability that are not there say so', async () => {
		await visit('/measurements/01ARZ3NDEKTSV4RRFFQ69G5FAV');
		await page.getByText('No such measurement').waitFor();
		await visit('/measure/telepathy');
		await page.getByText('Nobody offers telepathy').waitFor();
	}],
	['a narrow screen needs no sideways scrolling', async () => {
		await page.setViewportSize({ width: 360, height: 740 });
		const { items } = await api('GET', '/measurements?limit=1');
		for (const path of ['/measure', '/measure/ping', '/measure/flow', `/measurements/${items[0].id}`]) {
			await visit(path);
			await page.getByRole('heading', { level: 1 }).waitFor();
			await page.locator('main :is(table, label)').first().waitFor();
			assert((await tooWide(page)) <= 0, `${path} is ${await tooWide(page)} pixels too wide`);
		}
	}],
	['no page asked anybody but the hub', async () => assert(foreign.length === 0, foreign.join(' '))],
	['no page complained', async () => {
		// What is not there is what a test above is about.
		const real = complaints.filter((text) => !/status of 404/.test(text));
		assert(real.length === 0, real.join('\n'));
	}],
];

const failed = await runAll(tests);
await browser.close();
const status = await sonde.stop();
if (failed) console.log(`# sonde up ended with ${status}: ${sonde.errors()}`.replaceAll('\n', '\n# '));
process.exit(failed ? 1 : 0);
