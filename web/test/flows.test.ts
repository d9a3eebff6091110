// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';

import { flowFilters, mergeFlows } from '../src/lib/flows';

test('an address is looked for on both sides', () => {
	expect(flowFilters('192.0.2.1')).toEqual([{ c_ip: '~192.0.2.1' }, { s_ip: '~192.0.2.1' }]);
});

test('words narrow each other', () => {
	expect(flowFilters('tcp 443')).toEqual([
		{ protocol: 'tcp', s_port: '443' },
		{ protocol: 'tcp', c_port: '443' },
	]);
});

test('a column can be named, with a comparison', () => {
	expect(flowFilters('s_bytes:>1000')).toEqual([{ s_bytes: '>1000' }]);
	expect(flowFilters('state:open')).toEqual([{ state: '~open' }]);
});

test('a long search never becomes more than four requests', () => {
	expect(flowFilters('1.2 3.4 5.6 80').length).toBeLessThanOrEqual(4);
});

test('a flow that matched twice is shown once, newest first', () => {
	const a = { node: 'n', seq: 1, time: '2026-01-01T00:00:00Z' };
	const b = { node: 'n', seq: 2, time: '2026-01-01T00:00:01Z' };
	expect(mergeFlows([[a, b], [a]], 10)).toEqual([b, a]);
});

test('a word is a name or an application', () => {
	expect(flowFilters('video')).toEqual([{ server_name: '~video' }, { application: 'video' }]);
	expect(flowFilters('tls')).toEqual([{ application: 'tls' }, { server_name: '~tls' }]);
});

test('a column is searched in part, exactly, or compared', () => {
	expect(flowFilters('server_name:example')).toEqual([{ server_name: '~example' }]);
	expect(flowFilters('server_name:=www.example.org')).toEqual([{ server_name: 'www.example.org' }]);
	expect(flowFilters('c_bytes:>1000')).toEqual([{ c_bytes: '>1000' }]);
});
