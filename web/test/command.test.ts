// SPDX-License-Identifier: Apache-2.0
import { execFileSync } from 'node:child_process';

import { describe, expect, test } from 'vitest';

import { commandOf, commandWith, curlOf, pythonOf, rowsCommand } from '../src/lib/command';
import { bodyOf } from '../src/lib/measure';

const none = { nodes: [], tags: [], countries: [], networks: [] };

describe('a measurement as a command', () => {
	test('is what the shell reads as it was meant', () => {
		const body = bodyOf('ping', { targets: ['a.example'], count: '3' }, 'now + 5m / 10s', { ...none, nodes: ['rome', 'oslo'] }, "my 'first'");
		const line = commandOf(body, 'targets');
		expect(line).toBe(`sonde measure ping a.example count=3 --every 10s --for 5m --node rome,oslo --name 'my '\\''first'\\'''`);
		const words = execFileSync('sh', ['-c', `sonde() { for word; do echo "$word"; done; }; ${line}`], { encoding: 'utf8' }).trim().split('\n');
		expect(words.at(-1)).toBe("my 'first'");
	});

	test('says the schedule in the shortest way', () => {
		const at = (when: string) => commandOf(bodyOf('ping', { targets: ['a.example'] }, when, none, ''), 'targets');
		expect(at('now')).toBe('sonde measure ping a.example');
		expect(at('now ... future / 10s')).toBe('sonde measure ping a.example --every 10s');
		expect(at('repeat now + 1d / 1h { now + 30s / 1s }')).toBe("sonde measure ping a.example --when 'repeat now + 1d / 1h { now + 30s / 1s }'");
	});
});

describe('a request as a program', () => {
	const nasty = { name: `it's "quoted" $HOME \\ é` };

	test('curl gets the body through the shell as it is', () => {
		const line = curlOf({ url: 'http://127.0.0.1:1/api?a=1&b=2', body: nasty });
		const words = execFileSync('sh', ['-c', `curl() { for word; do printf '%s\\n' "$word"; done; }; ${line}`], { encoding: 'utf8', env: { SONDE_TOKEN: 'secret' } }).trim().split('\n');
		expect(JSON.parse(words[words.indexOf('-d') + 1]!)).toEqual(nasty);
		expect(words.at(-1)).toBe('http://127.0.0.1:1/api?a=1&b=2');
		expect(words).toContain('Authorization: Bearer secret');
	});

	test('with TLS the CA of the hub is named', () => {
		expect(curlOf({ url: 'https://hub.example/api' })).toContain('--cacert sonde-ca.pem');
		expect(pythonOf({ url: 'https://hub.example/api' })).toContain("cafile='sonde-ca.pem'");
		expect(curlOf({ url: 'http://localhost/api' })).not.toContain('cacert');
	});

	test('Python has the same body', () => {
		const text = pythonOf({ url: 'http://127.0.0.1:1/', body: nasty });
		const literal = /data=(".*")\.encode/.exec(text)![1]!;
		expect(JSON.parse(JSON.parse(literal))).toEqual(nasty);
	});
});

describe('rows as a command', () => {
	test('names and filters are quoted for the shell', () => {
		expect(rowsCommand('flows', { node: "it's far", since: '-1h', where: { c_bytes: '>1000', server_name: '~tls' } })).toBe(
			`sonde flows --node 'it'\\''s far' --since -1h --where 'c_bytes=>1000' --where 'server_name=~tls'`,
		);
	});

	test('what is not asked for is left out', () => expect(rowsCommand('results ping', { target: null })).toBe('sonde results ping'));
});

test('what is to be kept goes into a file', () => {
	const asked = { url: 'http://hub/api/v1/datasets/ping/export?format=csv', file: 'ping.csv' };
	expect(curlOf(asked)).toContain('-o ping.csv');
	expect(pythonOf(asked)).toContain(`with open("ping.csv", 'wb') as out:`);
	expect(pythonOf(asked)).not.toContain('json');
});

test('options without a value are left out, and what the shell would change is quoted', () => {
	expect(commandWith('user add', ['alice'], { '--role': 'viewer', '--x': undefined, '--y': null, '--z': '' })).toBe('sonde user add alice --role viewer');
	expect(commandWith('user token add', ["it's"], { '--expires': '90d' })).toBe("sonde user token add 'it'\\''s' --expires 90d");
	expect(commandWith('node invite', [], { '--place': 'San José', '--latitude': '-3.7' })).toBe("sonde node invite --place 'San José' --latitude -3.7");
});
