// SPDX-License-Identifier: Apache-2.0
// What the browser tests share: a real hub with a real node, a real browser, TAP.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

// Seconds that are named are those of a quiet machine.
const PATIENCE = 4;
const SOON = 15;

// The package is a development dependency of web/.
function playwright() {
	try {
		return createRequire(new URL('../../web/package.json', import.meta.url))('playwright-core');
	} catch {
		return undefined;
	}
}

export function missing() {
	if (!CHROMIUM) return 'no Chromium on this machine (Debian package chromium)';
	if (!playwright()) return 'playwright-core is not installed (npm ci in web/)';
	return undefined;
}

// An ordinary user may not ping everywhere: in a network of the test's own, inside a user namespace,
// it may.  Starts the script again in there; where the kernel does not allow that, goes on outside.
export function isolate() {
	const wanted = ['--net', '--user', '--map-current-user', '--keep-caps'];
	if (process.getuid() === 0 || process.env.SONDE_BROWSER_ISOLATED) return;
	if (spawnSync('unshare', [...wanted, 'true']).status !== 0) return;
	const inside = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh', process.execPath, ...process.argv.slice(1)];
	const done = spawnSync('unshare', [...wanted, ...inside], {
		stdio: 'inherit',
		env: { ...process.env, SONDE_BROWSER_ISOLATED: '1' },
	});
	process.exit(done.status ?? 1);
}

export const launch = () =>
	playwright().chromium.launch({
		executablePath: CHROMIUM,
		args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', '--disable-quic', '--no-first-run',
			'--disable-background-networking', '--disable-component-update', '--disable-sync'],
	});

const place = () => mkdtempSync(join(tmpdir(), 'sonde-browser-'));
const here = (state) => ({ ...process.env, XDG_RUNTIME_DIR: state, XDG_STATE_HOME: state });

// Runs a program that says, as a line of JSON, how to log in; resolves with that line.  stop() ends
// it by its pid.
async function run(program, args, state) {
	const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: here(state) });
	let errors = '';
	child.stderr.on('data', (piece) => (errors += piece));
	const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
	const stop = async () => {
		child.kill('SIGINT');
		const late = setTimeout(() => child.kill('SIGKILL'), PATIENCE * 15000);
		const status = await ended;
		clearTimeout(late);
		return status;
	};
	const ready = new Promise((resolve, reject) => {
		createInterface({ input: child.stdout }).on('line', (line) => {
			try {
				const said = JSON.parse(line);
				if (said.login_url) resolve(said);
			} catch {
				// not for us
			}
		});
		ended.then((status) => reject(new Error(`${program} ended with ${status}: ${errors}`)));
		setTimeout(() => reject(new Error(`${program} said no login link: ${errors}`)), PATIENCE * 60000).unref();
	});
	try {
		return { ...(await ready), stop, errors: () => errors };
	} catch (error) {
		await stop();
		throw error;
	}
}

// `sonde VERB --json ...` in a state directory of its own, which goes with it.
export async function start(programs, verb, args) {
	const state = place();
	const remove = () => rmSync(state, { recursive: true, force: true });
	try {
		const sonde = await run(join(programs, 'sonde'), [verb, '--json', '--state', state, ...args], state);
		return { ...sonde, state, stop: async () => [await sonde.stop(), remove()][0] };
	} catch (error) {
		remove();
		throw error;
	}
}

// None of those that the kernel gives away by itself while the hub is down.
async function freePort() {
	for (;;) {
		const port = 10000 + Math.floor(Math.random() * 20000);
		const server = createServer();
		const free = await new Promise((resolve) => server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true)));
		if (!free) continue;
		await new Promise((resolve) => server.close(resolve));
		return port;
	}
}

// A hub alone, which keeps its address over restarts: stop() and start().
export async function hubAlone(programs, settings) {
	const state = place();
	const ports = [await freePort(), await freePort()];
	const all = { local: `127.0.0.1:${ports[0]}`, listen: `127.0.0.1:${ports[1]}`, announce: 'false', ...settings(state) };
	const args = ['--json', '--state', state, ...Object.entries(all).flatMap(([key, value]) => ['--set', `${key}=${value}`])];
	const hub = { state, remove: () => rmSync(state, { recursive: true, force: true }) };
	hub.start = async () => Object.assign(hub, await run(join(programs, 'sonde-hub'), args, state));
	return hub;
}

// The command line beside it; throws what it complained about.
export function command(programs, file, ...args) {
	const { url, token } = JSON.parse(readFileSync(file, 'utf8'));
	const dir = place(); // not beside hub.json: what lies there belongs to the hub
	const proof = join(dir, 'token');
	writeFileSync(proof, token, { mode: 0o600 });
	const env = { ...process.env, SONDE_URL: url, SONDE_TOKEN_FILE: proof };
	const done = spawnSync(join(programs, 'sonde'), args, { encoding: 'utf8', env, timeout: PATIENCE * 60000 });
	rmSync(dir, { recursive: true, force: true });
	assert(done.status === 0, `sonde ${args.join(' ')}: ${done.stderr}`);
	return done.stdout;
}

// Asks the hub in place of a person, with the token of this machine.
export function apiOf(file) {
	return async (method, path, body) => {
		const { url, token } = JSON.parse(readFileSync(file, 'utf8'));
		const headers = { Authorization: `Bearer ${token}`, ...(body && { 'Content-Type': 'application/json' }) };
		const answer = await fetch(`${url}/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) });
		assert(answer.ok, `${method} ${path}: ${answer.status}`);
		return answer.status === 204 ? undefined : answer.json();
	};
}

// A page whose complaints and strange requests are kept.
export async function watchedPage(browser, origin, options = {}) {
	const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options });
	context.setDefaultTimeout(PATIENCE * SOON * 1000);
	const page = await context.newPage();
	const complaints = [];
	const foreign = [];
	page.on('pageerror', (error) => complaints.push(error.message));
	page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()));
	page.on('request', (request) => {
		const url = new URL(request.url());
		if (url.protocol.startsWith('http') && url.origin !== new URL(origin).origin) foreign.push(request.url());
	});
	const visit = (path) => page.goto(new URL(path, origin).href);
	return { page, complaints, foreign, visit };
}

export const tooWide = (page) => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);

// Until `check` gives something true; an error of it counts as not yet.
export async function until(what, check, seconds = SOON) {
	const end = Date.now() + PATIENCE * seconds * 1000;
	for (;;) {
		let value, problem;
		try {
			value = await check();
		} catch (error) {
			problem = error;
		}
		if (value) return value;
		if (Date.now() > end) throw new Error(`not within ${PATIENCE * seconds} s: ${what} (last: ${problem?.message ?? JSON.stringify(value)})`);
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
}

// Until `read` gives `wanted`: what a page shows is there when it is ready, not when a click is done.
export const becomes = (wanted, read) =>
	until(JSON.stringify(wanted), async () => {
		const found = await read();
		assert(found === wanted, `it is ${JSON.stringify(found)}`);
		return true;
	});

export async function runAll(tests, context) {
	console.log(`1..${tests.length}`);
	let failed = 0;
	for (const [index, [name, body]] of tests.entries()) {
		try {
			await body(context);
			console.log(`ok ${index + 1} - ${name}`);
		} catch (error) {
			failed++;
			console.log(`not ok ${index + 1} - ${name}`);
			console.log(String(error.stack ?? error).replaceAll(/^/gm, '# '));
		}
	}
	return failed;
}

export function assert(condition, message) {
	if (!condition) throw new Error(message);
}
