// SPDX-License-Identifier: Apache-2.0
// The pages as a person uses them, against a real hub and node that ping this machine.
import { assert, isolate, launch, missing, runAll, start, until } from './lib.mjs';

const why = missing();
if (why) {
	console.log(`1..0 # SKIP ${why}`);
	process.exit(0);
}

isolate();
const sonde = await start(process.argv[2], 'up', ['--listen', '127.0.0.1:0', '--no-defaults', '127.0.0.1', '::1']);
const browser = await launch();
const context = await browser.newContext({ viewport: { width: 1280, height: 860 } });
const page = await context.newPage();
const complaints = [];
const foreign = [];
page.on('pageerror', (error) => complaints.push(error.message));
page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
page.on('request', (request) => {
	const url = new URL(request.url());
	if (url.origin !== new URL(sonde.url).origin) foreign.push(request.url());
});

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
		await row.getByText('online').waitFor({ timeout: 20000 });
		await until('a round-trip time in the list', 20, async () => /[µm]s/.test(await row.innerText()));
	}],
	['the map is drawn', async () => {
		const drawn = await until('land on the canvas', 5, () =>
			page.evaluate(() => {
				const canvas = document.querySelector('.map canvas');
				const data = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
				return new Set(Array.from({ length: 2000 }, (_, i) => data[Math.floor((i * data.length) / 2000 / 4) * 4])).size > 1;
			}));
		assert(drawn, 'the map has one colour');
	}],
	['the chart of a node moves by itself', async () => {
		await page.locator('tr[data-node] a').first().click();
		await chart().waitFor({ timeout: 10000 });
		const before = await points();
		await until('two more points', 10, async () => (await points()) >= before + 2);
	}],
	['another target is one click away and has its own address', async () => {
		await page.getByRole('button', { name: '::1', exact: true }).click();
		await page.getByRole('heading', { name: 'Round-trip time and loss to ::1' }).waitFor();
		assert(new URL(page.url()).searchParams.get('target') === '::1', page.url());
		await page.reload();
		await page.getByRole('heading', { name: 'Round-trip time and loss to ::1' }).waitFor();
	}],
	['dragging over the chart zooms, and the range is in the address', async () => {
		await chart().waitFor();
		const box = await page.locator('.smoke .u-over').boundingBox();
		await page.mouse.move(box.x + box.width * 0.6, box.y + 40);
		await page.mouse.down();
		await page.mouse.move(box.x + box.width * 0.9, box.y + 60, { steps: 5 });
		await page.mouse.up();
		await until('a fixed range', 5, async () => /range=\d+\.\.\d+/.test(decodeURIComponent(page.url())));
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
	['what can be measured is listed, and who can', async () => {
		await page.goto(new URL('/measure', sonde.url).href);
		const row = page.getByRole('region', { name: 'Capabilities of nodes' }).locator('tr', { hasText: 'ping' }).first();
		await row.getByText('1 of 1').waitFor({ timeout: 15000 });
	}],
	['a form says what is wrong while one types, and what it would mean when nothing is', async () => {
		await page.getByRole('link', { name: 'ping', exact: true }).click();
		await page.getByRole('heading', { name: 'ping', level: 1 }).waitFor();
		await page.getByLabel('count', { exact: true }).fill('0');
		await page.getByText('allowed: 1 to').waitFor();
		await page.getByLabel('count', { exact: true }).fill('2');
		await page.getByLabel(/^targets/).fill('127.0.0.1');
		await page.getByText(/1 runs? each|, once/).waitFor({ timeout: 5000 });
	}],
	['the form is a command, too', async () => {
		await page.getByRole('button', { name: 'As command' }).click();
		await page.getByRole('dialog').getByText('sonde measure ping 127.0.0.1 count=2').waitFor();
		await page.getByRole('dialog').getByText('"capability":"ping"').first().waitFor();
		await page.keyboard.press('Escape');
	}],
	['one click measures, and the result appears by itself', async () => {
		await page.getByRole('button', { name: 'Measure', exact: true }).click();
		await page.waitForURL(/\/measurements\//);
		const results = page.getByRole('region', { name: 'Results' });
		await results.getByText('127.0.0.1').first().waitFor({ timeout: 15000 });
		await page.locator('.head').getByText('done').waitFor({ timeout: 15000 });
		assert(Number(await page.locator('.lines').getAttribute('data-points')) >= 1, 'nothing is drawn');
	}],
	['a standing measurement gives more and more results until it is stopped', async () => {
		await page.getByRole('link', { name: 'Measure again' }).click();
		await page.getByLabel(/^targets/).fill('127.0.0.1');
		await page.getByLabel('count', { exact: true }).fill('1');
		await page.getByLabel('How often').selectOption('standing');
		await page.getByLabel('Period').fill('1s');
		await page.getByLabel('Name').fill('heartbeat');
		await page.getByRole('button', { name: 'Measure', exact: true }).click();
		await page.waitForURL(/\/measurements\//);
		await until('three results', 20, async () => (await page.getByRole('region', { name: 'Results' }).locator('tbody tr').count()) >= 3);
		page.once('dialog', (dialog) => dialog.accept());
		await page.getByRole('button', { name: 'Stop …' }).click();
		await page.locator('.head').getByText('stopped').waitFor({ timeout: 10000 });
		await page.goto(new URL('/measure', sonde.url).href);
		await page.getByRole('link', { name: 'heartbeat' }).waitFor();
	}],
	['light and dark are both there and remembered', async () => {
		const theme = () => page.evaluate(() => document.documentElement.dataset.theme);
		const button = page.getByRole('button', { name: /Colours/ });
		await button.click();
		assert((await theme()) === 'light', await theme());
		await button.click();
		assert((await theme()) === 'dark', await theme());
		await page.reload();
		await page.getByRole('heading', { name: 'Fleet' }).waitFor();
		assert((await theme()) === 'dark', 'forgotten on reload');
	}],
	['a narrow screen needs no sideways scrolling', async () => {
		await page.setViewportSize({ width: 360, height: 740 });
		for (const path of ['/', '/nodes', '/measure', '/measure/ping', '/flows', '/admin']) {
			await page.goto(new URL(path, sonde.url).href);
			await page.getByRole('heading', { level: 1 }).waitFor();
			const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
			assert(over <= 0, `${path} is ${over} pixels too wide`);
		}
		await page.setViewportSize({ width: 1280, height: 860 });
	}],
	['an invitation shows its command once', async () => {
		await page.goto(new URL('/admin', sonde.url).href);
		await page.getByLabel('Name').fill('madrid-3');
		await page.getByRole('button', { name: 'Make a token' }).click();
		await page.getByText('sonde-node join https://').waitFor();
		await page.reload();
		await page.getByText('madrid-3').waitFor();
		assert((await page.getByText('sonde-node join https://').count()) === 0, 'the token is shown again');
	}],
	['a password can be set and then logs in', async () => {
		await page.getByLabel('New password').fill('correct horse battery');
		await page.getByRole('button', { name: 'Set password' }).click();
		await page.getByText('changed').waitFor();
		await page.getByRole('button', { name: 'Log out' }).click();
		await page.getByLabel('Password', { exact: true }).fill('wrong horse battery');
		await page.getByRole('button', { name: 'Log in' }).click();
		await page.getByRole('alert').waitFor();
		await page.getByLabel('Password', { exact: true }).fill('correct horse battery');
		await page.getByRole('button', { name: 'Log in' }).click();
		await page.getByRole('navigation', { name: 'Pages' }).waitFor();
	}],
	['no page asked anybody but the hub', async () => assert(foreign.length === 0, foreign.join(' '))],
	['no page complained', async () => {
		// Refused logins are what two tests above are about.
		const real = complaints.filter((text) => !/status of (401|403|410)/.test(text));
		assert(real.length === 0, real.join('\n'));
	}],
];

const failed = await runAll(tests);
await browser.close();
const status = await sonde.stop();
if (failed) console.log(`# sonde up ended with ${status}: ${sonde.errors()}`.replaceAll('\n', '\n# '));
process.exit(failed ? 1 : 0);
