// SPDX-License-Identifier: Apache-2.0
// The page of the data against a real hub and node: what is stored, where from, taking in and taking away.
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { assert, becomes, command, isolate, launch, missing, runAll, start, tooWide, until, watchedPage } from './lib.mjs';

const why = missing();
if (why) {
	console.log(`1..0 # SKIP ${why}`);
	process.exit(0);
}

isolate();
const programs = process.argv[2];
const sonde = await start(programs, 'up', ['--listen', '127.0.0.1:0', '--no-defaults', '127.0.0.1']);
const hubFile = join(sonde.state, 'hub', 'hub.json');
const files = mkdtempSync(join(tmpdir(), 'sonde-browser-files-'));
chmodSync(files, 0o777); // a hub that root has started is somebody else
const browser = await launch();
const { page, complaints, foreign, visit } = await watchedPage(browser, sonde.url);
const region = (name) => page.getByRole('region', { name, exact: true });
const tab = (name) => page.getByRole('navigation', { name: 'Parts of the data' }).getByText(name, { exact: true }).click();
const row = (text) => page.getByRole('row').filter({ hasText: text }).first();

const CSV = join(files, 'pings.csv');
const DAY = '2026-03-01';
const line = (second, rtt) => `${DAY}T00:00:${String(second).padStart(2, '0')}Z,198.51.100.7,ok,${rtt}\n`;
writeFileSync(CSV, 'time,target,status,rtt_p50_seconds\n' + Array.from({ length: 50 }, (_, i) => line(i, 0.001 * (i + 1))).join('') + 'yesterday,198.51.100.7,ok,fast\n');

const tests = [
	['the datasets say how many rows there are and since when', async () => {
		await page.goto(sonde.login_url);
		await page.getByRole('navigation', { name: 'Pages' }).getByText('Data').click();
		await row('ping').waitFor();
		await until('a number of rows', async () => /\d/.test(await row('ping').innerText()));
		await page.getByText('known datasets without rows').click();
		await page.getByRole('link', { name: 'tstat_tcp_complete', exact: true }).waitFor();
	}],
	['a word finds a dataset by name and by title', async () => {
		await page.getByLabel('Find', { exact: true }).fill('tcp_complete');
		await page.getByRole('link', { name: 'tstat_tcp_complete', exact: true }).waitFor();
		await page.getByRole('link', { name: 'ping', exact: true }).waitFor({ state: 'detached' });
		await page.getByLabel('Find', { exact: true }).fill('no such thing');
		await page.getByText('No dataset is called like that').waitFor();
		await page.getByLabel('Find', { exact: true }).fill('');
	}],
	['a dataset shows its columns with unit and meaning, and its newest rows', async () => {
		await page.getByRole('link', { name: 'ping', exact: true }).click();
		await page.getByRole('heading', { name: 'ping', exact: true }).waitFor();
		await region('Columns').getByRole('row').filter({ hasText: 'rtt_p50_seconds' }).getByText('s', { exact: true }).waitFor();
		await region('Newest rows').getByText('127.0.0.1').first().waitFor();
	}],
	['what the button downloads is what the command line exports', async () => {
		const link = page.getByRole('link', { name: 'Download' });
		const [download] = await Promise.all([page.waitForEvent('download'), link.click()]);
		const text = readFileSync(await download.path(), 'utf8');
		assert(/^time,node,/.test(text) && text.split('\n').length > 2, text.slice(0, 200));
		const out = join(files, 'ping.csv');
		command(programs, hubFile, 'export', 'ping', '-o', out);
		assert(readFileSync(out, 'utf8').startsWith(text), 'the beginnings differ');
	}],
	['other forms are offered, and the range is kept in the address', async () => {
		await page.getByRole('button', { name: '1 h', exact: true }).click();
		await page.getByLabel('Form').selectOption('parquet');
		await becomes('/api/v1/datasets/ping/export?format=parquet&since=-1h', () => page.getByRole('link', { name: 'Download' }).getAttribute('href'));
		await becomes('-1h', () => new URL(page.url()).searchParams.get('range'));
		await page.getByRole('button', { name: 'As command' }).click();
		await page.getByText('sonde export ping --from -1h --format parquet -o ping.parquet').waitFor();
		await page.getByRole('button', { name: 'Close' }).click();
	}],
	['the node is a source that is up to date', async () => {
		await visit('/data/sources');
		await row('current').waitFor();
		await row('current').getByRole('link').click();
		await page.locator('.smoke').waitFor();
	}],
	['a file is taken, its bad line kept, and a second time it was there already', async () => {
		await visit('/data/imports');
		await page.getByText('Nothing was imported yet').waitFor();
		for (const then of [() => row('done'), () => row('was there already')]) {
			await page.getByLabel('Files', { exact: true }).setInputFiles(CSV);
			await page.getByRole('combobox', { name: 'Form' }).selectOption('csv');
			await page.getByLabel('Dataset').fill('ping');
			await page.getByRole('button', { name: 'Take them' }).click();
			await then().waitFor();
		}
		await until('its 50 rows', async () => /\b50\b/.test(await row('done').innerText()));
		await visit('/data/quarantine');
		await row('pings.csv').or(row('time')).first().waitFor();
	}],
	['what is in quarantine can be looked at and removed', async () => {
		await page.getByRole('button', { name: /^Remove/ }).first().click();
		await page.getByText('Removed.').waitFor();
	}],
	['the store says how it is, day by day, and a check finds nothing', async () => {
		await tab('Store');
		await page.getByText('SQLite, a file per day').waitFor();
		await row(DAY).waitFor();
		await page.getByRole('button', { name: 'Check every block' }).click();
		await page.getByText('all is well').waitFor();
	}],
	['a backup is made where one says', async () => {
		const place = join(files, 'backup');
		await page.getByLabel('Backup to').fill(place);
		await page.getByRole('button', { name: 'Back up' }).click();
		await page.getByText('backup, done').waitFor();
	}],
	['a day can be removed, after a question', async () => {
		page.once('dialog', (dialog) => void dialog.accept());
		await page.getByRole('button', { name: `Remove the day ${DAY}` }).click();
		await row(DAY).waitFor({ state: 'detached' });
	}],
	['a dump is made on request and its checksums can be fetched', async () => {
		await tab('Dumps');
		await page.getByRole('heading', { name: 'Data' }).waitFor();
		await page.getByText('There are no dumps yet').waitFor();
	}],
	['every part fits a narrow screen', async () => {
		await page.setViewportSize({ width: 360, height: 740 });
		for (const part of ['', '/sources', '/imports', '/quarantine', '/dumps', '/store', '/datasets/ping']) {
			await visit(`/data${part}`);
			await page.getByRole('heading', { level: 1 }).waitFor();
			await until('the page is there', async () => (await page.locator('table, .notice').count()) > 0);
			const over = await tooWide(page);
			assert(over <= 0, `/data${part} is ${over} px too wide`);
		}
	}],
	['nothing was complained about and nothing came from elsewhere', async () => {
		assert(complaints.length === 0, complaints.join('\n'));
		assert(foreign.length === 0, foreign.join('\n'));
	}],
];

const failed = await runAll(tests);
await browser.close();
await sonde.stop();
rmSync(files, { recursive: true, force: true });
process.exit(failed ? 1 : 0);
