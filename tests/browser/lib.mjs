// SPDX-License-Identifier: Apache-2.0
// What the browser tests share: a real hub with a real node, a real browser, TAP.
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find(existsSync);

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

// Start `sonde VERB --json ...` in a state directory of its own; resolves with its first line that
// holds a login link.  stop() ends it by its pid and removes the directory.
export async function start(programs, verb, args) {
	const state = mkdtempSync(join(tmpdir(), 'sonde-browser-'));
	const child = spawn(join(programs, 'sonde'), [verb, '--json', '--state', state, ...args], {
		stdio: ['ignore', 'pipe', 'pipe'],
		env: { ...process.env, XDG_RUNTIME_DIR: state, XDG_STATE_HOME: state },
	});
	let errors = '';
	child.stderr.on('data', (piece) => (errors += piece));
	const ended = new Promise((resolve) => child.once('exit', (code, signal) => resolve(code ?? signal)));
	const stop = async () => {
		child.kill('SIGINT');
		const late = setTimeout(() => child.kill('SIGKILL'), 15000);
		const status = await ended;
		clearTimeout(late);
		rmSync(state, { recursive: true, force: true });
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
		ended.then((status) => reject(new Error(`sonde ${verb} ended with ${status}: ${errors}`)));
		setTimeout(() => reject(new Error(`sonde ${verb} said no login link within 60 s: ${errors}`)), 60000).unref();
	});
	try {
		return { ...(await ready), state, stop, errors: () => errors };
	} catch (error) {
		await stop();
		throw error;
	}
}

// Until `check` gives something true, at most `seconds`.
export async function until(what, seconds, check) {
	const end = Date.now() + seconds * 1000;
	for (;;) {
		const value = await check();
		if (value) return value;
		if (Date.now() > end) throw new Error(`not within ${seconds} s: ${what}`);
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
}

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
