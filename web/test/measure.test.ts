// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';

import type { Capability } from '../src/lib/capability';
import { bodyOf, costOf, counts, progress, subjectOf, type Measurement, type Plan } from '../src/lib/measure';

const none = { nodes: [], tags: [], countries: [], networks: [] };

describe('a request', () => {
	test('has only what was chosen', () => {
		expect(bodyOf('ping', {}, 'now', none, '')).toEqual({ capability: 'ping', parameters: {}, when: 'now' });
		expect(bodyOf('ping', {}, 'now', { ...none, tags: ['x'] }, 'n')).toEqual({ capability: 'ping', parameters: {}, when: 'now', tags: ['x'], name: 'n' });
	});

	test('that is refused says which field it is about', () => {
		expect(subjectOf("parameter 'count': not 1 to 65535")).toEqual({ parameter: 'count', reason: 'not 1 to 65535' });
		expect(subjectOf("nodes: there is no node 'x'")).toEqual({ member: 'nodes', reason: "there is no node 'x'" });
		expect(subjectOf('too much')).toEqual({ reason: 'too much' });
	});
});

describe('what a measurement costs', () => {
	const capability = {
		parameters: [
			{ name: 'targets', type: 'targets' },
			{ name: 'count', type: 'count', default: '5' },
			{ name: 'interval', type: 'duration', default: '200ms' },
			{ name: 'size', type: 'size', default: '56' },
		],
	} as Capability;
	const plan = { providers: [{}, {}], runs: 31, targets: ['a', 'b', 'c'], allowed: true } as unknown as Plan;

	test('is probes of all runs of all providers to all targets, with headers', () => {
		const cost = costOf(capability, { count: '2' }, plan);
		expect(cost.runs).toBe(62);
		expect(cost.packets).toBe(62 * 3 * 2);
		expect(cost.bytes).toBe(62 * 3 * 2 * 84);
		expect(cost.perTarget).toBeCloseTo(10);
	});

	test('has no sum without an end, and no packets where nothing is declared', () => {
		expect(costOf(capability, {}, { ...plan, runs: null }).packets).toBeNull();
		expect(costOf({ parameters: [] } as unknown as Capability, {}, plan)).toMatchObject({ runs: 62, packets: null, perTarget: null });
	});
});

describe('a measurement', () => {
	test('tells how far it is in time', () => {
		const m = { starts: '2026-01-01T00:00:00Z', ends: '2026-01-01T00:10:00Z' } as Measurement;
		expect(progress(m, Date.parse('2026-01-01T00:05:00Z'))).toBe(0.5);
		expect(progress(m, Date.parse('2026-01-02T00:00:00Z'))).toBe(1);
		expect(progress({ ...m, ends: null }, 0)).toBeNull();
	});

	test('says what failed first', () => {
		expect(counts({ providers: { done: 3, failed: 1, waiting: 0 } })).toBe('1 failed, 3 done');
	});
});
