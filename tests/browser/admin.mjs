// SPDX-License-Identifier: Apache-2.0
// Who may do what, in the browser: accounts, roles, tokens, invitations, certificates, policy, audit;
// and a hub that is restarted under the pages.
import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { apiOf, assert, becomes, command, hubAlone, launch, missing, runAll, tooWide, until, watchedPage } from './lib.mjs';

const why = missing();
if (why) {
	console.log(`1..0 # SKIP ${why}`);
	process.exit(0);
}

const POLICY = `# who may do what here
roles:
  boss: account:admin
  staff: account:operator
  student: user:lena
rules:
  - allow: [discover, measure, read-all, stop-all]
    roles: boss
    capabilities: "*"
  - allow: admin
    roles: boss
  - allow: [discover, measure, read-all, stop]
    roles: staff
    capabilities: "*"
  - allow: [discover, read]
    roles: student
    capabilities: ping
`;

const programs = process.argv[2];
const policyFile = (state) => join(state, 'policy.yaml');
// Changed at once, as an editor that knows its trade does it.
function writePolicy(state, text) {
	writeFileSync(`${policyFile(state)}.new`, text);
	renameSync(`${policyFile(state)}.new`, policyFile(state));
}

const hub = await hubAlone(programs, (state) => {
	writePolicy(state, POLICY);
	return { policy: policyFile(state) };
});
await hub.start();
const hubFile = join(hub.state, 'hub.json');
const api = apiOf(hubFile);
const browser = await launch();
const { page, complaints, foreign, visit } = await watchedPage(browser, hub.url);
const region = (name) => page.getByRole('region', { name, exact: true });
// What a part of the page says to be the same as a command, read and closed.
async function asCommand(part) {
	await region(part).getByRole('button', { name: 'As command' }).click();
	const dialog = page.getByRole('dialog');
	await dialog.locator('pre').first().waitFor();
	const texts = await dialog.locator('pre').allInnerTexts();
	await dialog.getByRole('button', { name: 'Close' }).click();
	await dialog.waitFor({ state: 'hidden' });
	return texts;
}
const tabs = (of) => of.getByRole('navigation', { name: 'Parts of the administration' });

// The same pages as somebody else.
async function as(user) {
	const other = await watchedPage(browser, hub.url);
	const { url } = await api('POST', '/login-links', { user });
	await other.page.goto(url);
	await other.page.getByRole('navigation', { name: 'Pages' }).waitFor();
	return { ...other, close: () => other.page.context().close() };
}

const tests = [
	['an administrator finds all parts', async () => {
		await page.goto(hub.login_url);
		await page.getByRole('navigation', { name: 'Pages' }).getByText('Admin').click();
		const names = 'Account,Invitations,Users,Certificates,Policy,Audit';
		await becomes(names, async () => (await tabs(page).getByRole('link').allInnerTexts()).join());
		for (const name of names.split(',')) {
			await tabs(page).getByText(name).click();
			await tabs(page).locator('[aria-current="page"]').getByText(name).waitFor();
		}
	}],
	['an invitation shows its command once, and can be withdrawn', async () => {
		await visit('/admin/invitations');
		await page.getByLabel('Latitude').fill('91');
		await page.getByText('degrees from -90 to 90').waitFor();
		await page.getByLabel('Latitude').fill('');
		await page.getByLabel('Name').fill('madrid-3');
		const texts = await asCommand('Invite a node');
		assert(texts[0] === 'sonde node invite madrid-3' && texts[1].includes('{"name":"madrid-3"}'), texts.join('\n'));
		await page.getByRole('button', { name: 'Make a token' }).click();
		await page.getByText('sonde-node join https://').waitFor();
		await page.reload();
		await page.getByRole('cell', { name: 'madrid-3', exact: true }).waitFor();
		assert((await page.getByText('sonde-node join https://').count()) === 0, 'the token is shown again');
		assert((await asCommand('Open invitations'))[0] === 'sonde node invites', 'the list is no command');
		await page.getByRole('button', { name: 'Withdraw the invitation of madrid-3' }).click();
		await page.getByRole('cell', { name: 'madrid-3', exact: true }).waitFor({ state: 'detached' });
	}],
	['users are added with a role and get a link to log in', async () => {
		await visit('/admin/users');
		for (const [name, role] of [['bob', 'operator'], ['lena', 'viewer']]) {
			await page.getByLabel('Name').fill(name);
			await page.getByRole('combobox', { name: 'Role', exact: true }).selectOption(role);
			const texts = await asCommand('Add a user');
			assert(texts[0] === `sonde user add ${name} --role ${role}`, texts.join('\n'));
			await page.getByRole('button', { name: 'Add', exact: true }).click();
			await page.getByText(`${name} logs in with this link, once`).waitFor();
		}
		const link = await page.locator('pre', { hasText: '/login?token=' }).innerText();
		const guest = await watchedPage(browser, hub.url);
		await guest.page.goto(link);
		await guest.page.getByRole('navigation', { name: 'Pages' }).waitFor();
		await guest.page.context().close();
		await page.getByLabel('Name').fill('no such Name');
		await page.getByText('a-z, 0-9').waitFor();
	}],
	['what a role may not do is not offered, and the rest says who can allow it', async () => {
		const lena = await as('lena');
		await lena.page.getByText('An administrator can invite one').waitFor();
		assert((await lena.page.getByRole('link', { name: 'Admin' }).count()) === 0, 'the administration is offered');
		await lena.visit('/measure');
		await lena.page.getByText('You may look, but not measure').or(lena.page.getByText('Nothing can be measured yet')).first().waitFor();
		await lena.visit('/flows');
		await lena.page.getByText('An administrator can allow').waitFor();
		await lena.visit('/admin/users');
		await lena.page.getByText('Users is for administrators').waitFor();
		await lena.visit('/admin');
		await lena.page.getByRole('heading', { name: 'Account' }).waitFor();
		assert((await tabs(lena.page).count()) === 0, 'parts of the administration are offered');
		assert(lena.complaints.length === 0, lena.complaints.join('\n'));
		await lena.close();
	}],
	['a role counts at once, also for pages that are open', async () => {
		const bob = await as('bob');
		await bob.visit('/admin');
		await bob.page.getByText('bob, role operator').waitFor();
		await page.reload();
		await page.getByLabel('Role of bob').selectOption('admin');
		await until('bob is an administrator', async () => (await api('GET', '/users')).items.find((u) => u.name === 'bob').role === 'admin');
		await bob.page.getByRole('navigation', { name: 'Pages' }).getByText('Admin').waitFor();
		page.once('dialog', (question) => question.accept());
		await page.getByRole('button', { name: 'Remove bob' }).click();
		await page.getByRole('cell', { name: 'bob', exact: true }).waitFor({ state: 'detached' });
		await bob.page.getByRole('button', { name: 'Log in' }).waitFor();
		await bob.close();
	}],
	['a token is shown once, works, and is worthless when it is removed', async () => {
		await visit('/admin');
		await page.getByLabel('What for').fill('grafana');
		await page.getByRole('combobox', { name: 'Role', exact: true }).selectOption('viewer');
		const texts = await asCommand('New token');
		assert(texts[0] === 'sonde user token add grafana --role viewer --expires 90d', texts.join('\n'));
		await page.getByRole('button', { name: 'Make a token' }).click();
		const token = await page.locator('.secret pre').innerText();
		const ask = async () => (await fetch(new URL('/api/v1/session', hub.url), { headers: { Authorization: `Bearer ${token}` } })).status;
		assert((await ask()) === 200, 'the token opens nothing');
		await page.reload();
		await page.getByRole('cell', { name: 'grafana', exact: true }).waitFor();
		assert(!(await page.content()).includes(token), 'the token is shown again');
		page.once('dialog', (question) => question.accept());
		await page.getByRole('button', { name: 'Remove the token grafana' }).click();
		await page.getByRole('cell', { name: 'grafana', exact: true }).waitFor({ state: 'detached' });
		assert((await ask()) === 401, 'a removed token still works');
	}],
	['certificates are listed, narrowed and revoked with a reason', async () => {
		command(programs, hubFile, 'ca', 'issue', 'component', 'SSB', 'Probe-1', '--output', join(hub.state, 'peer'));
		await visit('/admin/certificates');
		const name = 'org.mplane.SSB.Components.Probe-1';
		await page.getByRole('button', { name, exact: true }).click();
		await page.getByText('SHA-256').waitFor();
		await page.getByLabel('Kind').selectOption('client');
		await page.getByText('None like that').waitFor();
		await page.getByLabel('Kind').selectOption('component');
		await page.getByRole('button', { name: `Revoke the certificate of ${name}` }).click();
		await page.getByRole('dialog').getByLabel('Reason').fill('key lost');
		await page.getByRole('dialog').getByRole('button', { name: 'Revoke' }).click();
		await page.getByText('key lost').waitFor();
		await page.getByLabel('State').selectOption('valid');
		await page.getByText('None like that').waitFor();
	}],
	['the policy is shown with its lines, and says which of them decides', async () => {
		await visit('/admin/policy');
		const marked = () => region('Text of the policy').locator('tr.marked').allInnerTexts();
		await region('Text of the policy').getByText('who may do what here').waitFor();
		await page.getByLabel('Who').fill('user:lena');
		await page.getByLabel('Capability').fill('ping');
		await page.getByLabel('Action').selectOption('discover');
		await page.getByRole('button', { name: 'Ask' }).click();
		await region('May they?').getByText('allowed').waitFor();
		await until('the line that allows it', async () => (await marked())[0].includes('allow: [discover, read]'));
		await page.getByLabel('Action').selectOption('measure');
		await page.getByRole('button', { name: 'Ask' }).click();
		await region('May they?').getByText('refused').waitFor();
	}],
	['a broken policy is told on every page until it is mended, also after a restart', async () => {
		const told = () => page.getByRole('alert').filter({ hasText: 'The hub:' });
		await visit('/');
		await page.getByText('No node yet').waitFor();
		writePolicy(hub.state, POLICY.replace('roles: student', 'rolse: student'));
		await told().getByText('rolse').waitFor();
		await visit('/admin/policy');
		await page.getByText('this is the last good policy').waitFor();
		await hub.stop();
		await page.getByText('no connection to the hub').waitFor();
		writePolicy(hub.state, POLICY);
		await hub.start();
		await page.getByText('no connection to the hub').waitFor({ state: 'detached' });
		await told().waitFor({ state: 'detached' });
	}],
	['the audit trail is narrowed by actor, action and outcome', async () => {
		await visit('/admin/audit');
		const cells = () => region('Audit trail').locator('tbody tr td:nth-child(3)').allInnerTexts();
		await page.getByLabel('Action').fill('user.add');
		await page.getByLabel('Action').press('Enter');
		await until('only users that were added', async () => (await cells()).length === 2 && (await cells()).every((text) => text === 'user.add'));
		await page.getByRole('button', { name: 'Show all' }).click();
		await page.getByLabel('Outcome').selectOption('done');
		await until('only what was done', async () => (await region('Audit trail').locator('tbody tr').count()) > 2 && (await region('Audit trail').getByText('refused').count()) === 0);
		await becomes('done', () => new URL(page.url()).searchParams.get('outcome'));
	}],
	['a narrow screen needs no sideways scrolling', async () => {
		await page.setViewportSize({ width: 360, height: 740 });
		for (const path of ['', '/invitations', '/users', '/certificates', '/policy', '/audit']) {
			await visit(`/admin${path}`);
			await page.locator('main :is(table, label)').first().waitFor();
			assert((await tooWide(page)) <= 0, `${path} is ${await tooWide(page)} pixels too wide`);
		}
		await page.setViewportSize({ width: 1280, height: 860 });
	}],
	['a password can be set and then logs in', async () => {
		await visit('/admin');
		await page.getByLabel('New password').fill('correct horse battery');
		await page.getByRole('button', { name: 'Set password' }).click();
		await page.getByText('changed').waitFor();
		await page.getByLabel('Present password').waitFor();
		await page.getByRole('button', { name: 'Log out' }).click();
		// The page being left has a part called "Password" too.
		await page.getByRole('button', { name: 'Log in' }).waitFor();
		await page.getByLabel('Password', { exact: true }).fill('wrong horse battery');
		await page.getByRole('button', { name: 'Log in' }).click();
		await page.getByRole('alert').waitFor();
		await page.getByLabel('Password', { exact: true }).fill('correct horse battery');
		await page.getByRole('button', { name: 'Log in' }).click();
		await page.getByRole('navigation', { name: 'Pages' }).waitFor();
	}],
	['no page asked anybody but the hub', async () => assert(foreign.length === 0, foreign.join(' '))],
	['no page complained', async () => {
		// A refused login and a hub that is away are what tests above are about.
		const real = complaints.filter((text) => !/status of 401|ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED_ENCODING|ERR_EMPTY_RESPONSE|ERR_CONNECTION_RESET/.test(text));
		assert(real.length === 0, real.join('\n'));
	}],
];

const failed = await runAll(tests);
await browser.close();
const status = await hub.stop();
if (failed) console.log(`# sonde-hub ended with ${status}: ${hub.errors()}`.replaceAll('\n', '\n# '));
hub.remove();
process.exit(failed ? 1 : 0);
