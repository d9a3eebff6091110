// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';

import { choiceOf, complaint, durationSeconds, groupsOf, kindOf, matches, parametersOf, sizeBytes, textOf, type Capability } from '../src/lib/capability';

describe('constraints of a capability', () => {
	test('are read in all their forms', () => {
		expect(choiceOf('*')).toEqual({ kind: 'any' });
		expect(choiceOf(undefined)).toEqual({ kind: 'any' });
		expect(choiceOf('192.0.2.1')).toEqual({ kind: 'one', value: '192.0.2.1' });
		expect(choiceOf('4,6')).toEqual({ kind: 'set', values: ['4', '6'] });
		expect(choiceOf('1 ... 65535')).toEqual({ kind: 'range', from: '1', to: '65535' });
		expect(choiceOf('192.0.2.0/24', 'address')).toEqual({ kind: 'network', network: '192.0.2.0/24' });
		expect(choiceOf('a/b', 'string')).toEqual({ kind: 'one', value: 'a/b' });
	});

	test('say what is wrong with a value', () => {
		const count = { name: 'count', type: 'count', constraint: '1 ... 10' };
		expect(complaint(count, '5')).toBe('');
		expect(complaint(count, '')).toBe('');
		expect(complaint({ ...count, required: true }, ' ')).toBe('must be given');
		expect(complaint(count, '0')).toBe('allowed: 1 to 10');
		expect(complaint(count, 'many')).toBe('not a whole number');
		expect(complaint({ name: 'interval', type: 'duration', constraint: '1ms ... 1h' }, '2h')).toBe('allowed: 1ms to 1h');
		expect(complaint({ name: 'interval', type: 'duration', constraint: '1ms ... 1h' }, '1m30s')).toBe('');
		expect(complaint({ name: 'size', type: 'size', constraint: '0 ... 65000' }, '66kB')).toBe('allowed: 0 to 65000');
		expect(complaint({ name: 'size', type: 'size', constraint: '0 ... 65000' }, '1.5kB')).toBe('');
		expect(complaint({ name: 'family', type: 'text', constraint: '4,6' }, '5')).toBe('one of 4, 6');
		expect(complaint({ name: 'since', type: 'time' }, 'soon')).toContain('not a time');
	});

	test('addresses are looked at, and their family if the name says which', () => {
		const ip4 = { name: 'destination.ip4', type: 'address' };
		expect(complaint(ip4, 'no address')).toBe('not an IP address');
		expect(complaint(ip4, '1.2.3')).toBe('not an IP address');
		expect(complaint(ip4, '1.2.3.256')).toBe('not an IP address');
		expect(complaint(ip4, '192.0.2.1')).toBe('');
		expect(complaint(ip4, '2001:db8::1')).toBe('not an IPv4 address');
		expect(complaint({ name: 'destination.ip6', type: 'address' }, '192.0.2.1')).toBe('not an IPv6 address');
		expect(complaint({ name: 'destination.ip6', type: 'address' }, 'fe80::1%eth0')).toBe('');
	});

	test('durations and sizes are compared by what they are', () => {
		expect(durationSeconds('1m30s')).toBe(90);
		expect(durationSeconds('200ms')).toBeCloseTo(0.2);
		expect(durationSeconds('soon')).toBeNull();
		expect(sizeBytes('2KiB')).toBe(2048);
		expect(sizeBytes('56')).toBe(56);
		expect(sizeBytes('2 PB')).toBeNull();
	});
});

describe('a form', () => {
	const parameters = [
		{ name: 'targets', type: 'targets' },
		{ name: 'count', type: 'count' },
		{ name: 'fast', type: 'flag' },
	];

	test('becomes the parameters of a request; what was left empty is left out', () => {
		const values = parametersOf(parameters, { targets: 'a.example, b.example\nc.example', count: '', fast: 'true' });
		expect(values).toEqual({ targets: ['a.example', 'b.example', 'c.example'], fast: true });
		expect(parametersOf(parameters, { targets: textOf(values.targets!), fast: textOf(values.fast!) })).toEqual(values);
	});

	test('shows what must be given first, then what was declared first, and folds the rest', () => {
		const many = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => ({ name, type: 'text', required: name === 'g' }));
		const names = (list: { name: string }[]) => list.map((p) => p.name).join('');
		const groups = groupsOf(many);
		expect([groups.required, groups.common, groups.rest].map(names)).toEqual(['g', 'abcd', 'ef']);
		expect(names(groupsOf(many.slice(0, 5)).common)).toBe('abcde'); // one field is not worth a fold
		expect(names(groupsOf([{ name: 'x', type: 'address', constraint: null }]).rest)).toBe('x');
	});
});

describe('capabilities', () => {
	const ping: Capability = { label: 'ping', help: 'ICMP echo', verb: 'measure', registry: null, when: 'now', method: 'ping', dataset: 'ping', parameters: [{ name: 'targets', type: 'targets' }], columns: [{ name: 'rtt', type: 'number' }], providers: [{ provider: 'node:1', name: 'rome', state: 'online' }] };

	test('are of nodes, views of the same, or of peers', () => {
		expect(kindOf(ping)).toBe('node');
		expect(kindOf({ label: 'ping-average-ip4', method: 'ping' })).toBe('view');
		expect(kindOf({ label: 'ping', method: null })).toBe('peer');
	});

	test('are found by any word of their declaration, and every word counts', () => {
		expect(matches(ping, 'echo ROME')).toBe(true);
		expect(matches(ping, 'rtt')).toBe(true);
		expect(matches(ping, 'echo oslo')).toBe(false);
		expect(matches(ping, '')).toBe(true);
	});
});
