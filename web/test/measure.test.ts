// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';

import { bodyOf, choiceOf, commandOf, complaint, durationSeconds, parametersOf, scopeOf, whenComplaint } from '../src/lib/measure';

const none = { nodes: [], tags: [], countries: [], networks: [] };

describe('constraints of a capability', () => {
	test('are read in all their forms', () => {
		expect(choiceOf('*')).toEqual({ kind: 'any' });
		expect(choiceOf(undefined)).toEqual({ kind: 'any' });
		expect(choiceOf('192.0.2.1')).toEqual({ kind: 'one', value: '192.0.2.1' });
		expect(choiceOf('4,6')).toEqual({ kind: 'set', values: ['4', '6'] });
		expect(choiceOf('1 ... 65535')).toEqual({ kind: 'range', from: '1', to: '65535' });
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
		expect(complaint({ name: 'destination.ip4', type: 'address' }, 'no address')).toBe('not an IP address');
	});

	test('durations are compared by their length', () => {
		expect(durationSeconds('1m30s')).toBe(90);
		expect(durationSeconds('200ms')).toBeCloseTo(0.2);
		expect(durationSeconds('soon')).toBeNull();
	});
});

describe('a filled form', () => {
	const parameters = [
		{ name: 'targets', type: 'targets' },
		{ name: 'count', type: 'count' },
		{ name: 'fast', type: 'flag' },
	];

	test('becomes the parameters of a request; what was left empty is left out', () => {
		expect(parametersOf(parameters, { targets: 'a.example, b.example\nc.example', count: '', fast: 'true' })).toEqual({
			targets: ['a.example', 'b.example', 'c.example'],
			fast: true,
		});
	});

	test('becomes a command that the shell reads as it was meant', () => {
		const body = bodyOf('ping', { targets: ['a.example'], count: '3' }, 'now + 5m / 10s', { ...none, nodes: ['rome', 'oslo'] }, "my 'first'");
		expect(commandOf(body, 'targets')).toBe(`sonde measure ping a.example count=3 --when 'now + 5m / 10s' --node rome,oslo --name 'my '\\''first'\\'''`);
		expect(commandOf(bodyOf('ping', { targets: ['a.example'] }, 'now', none, ''), 'targets')).toBe('sonde measure ping a.example');
	});
});

describe('when', () => {
	const base = { every: '10s', during: '5m', own: '' };

	test('schedules become scopes', () => {
		expect(scopeOf({ ...base, schedule: 'once' })).toBe('now');
		expect(scopeOf({ ...base, schedule: 'period' })).toBe('now + 5m / 10s');
		expect(scopeOf({ ...base, schedule: 'standing' })).toBe('now ... future / 10s');
		expect(scopeOf({ ...base, schedule: 'repeat' })).toBe('repeat now + 5m / 10s');
		expect(scopeOf({ ...base, schedule: 'own', own: ' past ... now ' })).toBe('past ... now');
	});

	test('durations that scopes do not know are told while typing', () => {
		expect(whenComplaint({ ...base, schedule: 'period' })).toBe('');
		expect(whenComplaint({ ...base, schedule: 'period', every: '1.5s' })).toContain('period');
		expect(whenComplaint({ ...base, schedule: 'period', during: '5m3h' })).toContain('length');
		expect(whenComplaint({ ...base, schedule: 'standing', during: 'x' })).toBe('');
		expect(whenComplaint({ ...base, schedule: 'own' })).toBe('must be given');
	});
});
