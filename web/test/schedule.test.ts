// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';

import { durationText, firstRun, FRESH, schedulesOf, scopeOf, whenComplaints, whenOf, whenWords } from '../src/lib/schedule';

const PING = 'now ... future / 1s';
const FLOW = 'now ... future';

describe('a schedule', () => {
	test('becomes a scope', () => {
		expect(scopeOf({ ...FRESH, schedule: 'once' })).toBe('now');
		expect(scopeOf({ ...FRESH, schedule: 'period' })).toBe('now + 5m / 10s');
		expect(scopeOf({ ...FRESH, schedule: 'standing' })).toBe('now ... future / 10s');
		expect(scopeOf({ ...FRESH, schedule: 'bursts', every: '1h', during: '1d' })).toBe('repeat now + 1d / 1h { now + 30s / 1s }');
		expect(scopeOf({ ...FRESH, schedule: 'bursts', every: '1h', during: '' })).toBe('repeat now ... future / 1h { now + 30s / 1s }');
		expect(scopeOf({ ...FRESH, schedule: 'cron', minutes: '0,30', hours: '8-17', days: '1-5' })).toBe('repeat now ... future cron 0 0,30 8-17 * 1-5 *');
		expect(scopeOf({ ...FRESH, schedule: 'own', own: ' past ... now ' })).toBe('past ... now');
	});

	test('can begin later, at a local time that the scope says in UTC', () => {
		const begin = '2026-03-01T08:00';
		const utc = new Date(begin).toISOString().replace('T', ' ').slice(0, 19);
		expect(scopeOf({ ...FRESH, begin })).toBe(utc);
		expect(scopeOf({ ...FRESH, schedule: 'period', begin })).toBe(`${utc} + 5m / 10s`);
	});

	test('of a meter has no period, for it runs all the time', () => {
		expect(scopeOf({ ...FRESH, schedule: 'period' }, FLOW)).toBe('now + 5m');
		expect(scopeOf({ ...FRESH, schedule: 'standing' }, FLOW)).toBe('now ... future');
		expect(schedulesOf(FLOW).map((s) => s.value)).toEqual(['period', 'standing', 'own']);
		expect(schedulesOf(PING).map((s) => s.value)).toContain('once');
	});

	test('says what is wrong while one types, field by field', () => {
		expect(whenComplaints({ ...FRESH, schedule: 'period' }, PING)).toEqual({});
		expect(whenComplaints({ ...FRESH, schedule: 'period', every: '1.5s', during: '5m3h' }, PING)).toHaveProperty('every');
		expect(whenComplaints({ ...FRESH, schedule: 'period', during: '5m3h' })).toHaveProperty('during');
		expect(whenComplaints({ ...FRESH, schedule: 'standing', during: 'x' }, PING)).toEqual({});
		expect(whenComplaints({ ...FRESH, schedule: 'standing', every: '5s' }, 'now ... future / 1m').every).toBe('at least 1m');
		expect(whenComplaints({ ...FRESH, schedule: 'period', every: '0s' }, PING)).toHaveProperty('every');
		expect(whenComplaints({ ...FRESH, schedule: 'own' })).toEqual({ own: 'must be given' });
		expect(whenComplaints({ ...FRESH, schedule: 'cron', minutes: '0,75', hours: '8-17' })).toHaveProperty('minutes');
		expect(whenComplaints({ ...FRESH, schedule: 'cron', hours: '' })).toHaveProperty('hours');
		expect(whenComplaints({ ...FRESH, schedule: 'period', every: 'never' }, FLOW)).toEqual({});
	});

	test.each(['now', 'now + 5m / 10s', 'now ... future / 10s', 'repeat now + 1d / 1h { now + 30s / 1s }', 'repeat now ... future / 1h { now + 30s / 1s }', 'repeat now ... future cron 0 0,30 8-17 * 1-5 *', 'past ... now'])(
		'survives its address: %s',
		(scope) => expect(scopeOf(whenOf(scope), PING)).toBe(scope),
	);

	test('of a measurement that was is asked for anew from now on', () => {
		const again = (scope: string) => scopeOf(whenOf(scope), PING);
		expect(again('2026-01-01 10:00:00.250000 ... 2026-01-01 10:05:00.250000 / 10s')).toBe('now + 5m / 10s');
		expect(again('2026-01-01 10:00:00.250000 ... future / 10s')).toBe('now ... future / 10s');
		expect(again('2020-01-01 10:00:00.000000')).toBe('now');
		expect(again('repeat 2026-01-01 10:00:00.000000 ... 2026-01-02 10:00:00.000000 / 1h { now + 30s / 1s }')).toBe('repeat now + 1d / 1h { now + 30s / 1s }');
		const full = Array.from({ length: 31 }, (_, i) => i + 1).join();
		expect(again(`repeat 2026-01-01 10:00:00.000000 ... future cron 0 0,30 8,9,10 ${full} 1,2,3,4,5 1,2,3,4,5,6,7,8,9,10,11,12`)).toBe('repeat now ... future cron 0 0,30 8-10 * 1-5 *');
		expect(again('repeat 2026-01-01 10:00:00.000000 ... future cron 5 0 8 1 1 1 { now + 30s / 1s }')).toBe('repeat now ... future cron 5 0 8 1 1 1 { now + 30s / 1s }');
	});
});

describe('words', () => {
	test('for scopes', () => {
		expect(whenWords('2026-01-01 10:00:00.000000')).toBe('once');
		expect(whenWords('now + 5m / 10s')).toBe('every 10s for 5m');
		expect(whenWords('2026-01-01 10:00:00.000000 ... 2026-01-01 10:05:00.000000 / 10s')).toBe('every 10s for 5m');
		expect(whenWords('2026-01-01 10:00:00.000000 ... future / 10s')).toBe('every 10s until it is stopped');
		expect(whenWords('now ... future')).toBe('until it is stopped');
		expect(whenWords('repeat now + 1d / 1h { now + 30s / 1s }')).toBe('every 1h a burst of 30s (a run each 1s), for 1d');
		expect(whenWords('repeat now ... future cron 0 0,30 8-17 * 1-5 *')).toContain('Monday to Friday');
		expect(whenWords('something else')).toBe('something else');
	});

	test('for lengths', () => {
		expect(durationText(90061)).toBe('1d1h1m1s');
		expect(durationText(0)).toBe('0s');
	});
});

describe('the first run', () => {
	const at = (scope: string) => new Date(firstRun(scope)!).toISOString();

	test('is where the scope starts', () => {
		expect(at('2026-01-01 10:00:00.500000 ... future / 10s')).toBe('2026-01-01T10:00:00.500Z');
		expect(firstRun('now')).toBeNull();
	});

	test('of a crontab is the first moment that fits all its fields', () => {
		expect(at('repeat 2026-01-02 20:01:00.000000 ... future cron 0 0,30 8-17 * 1-5 *')).toBe('2026-01-05T08:00:00.000Z'); // a Friday evening
		expect(at('repeat 2026-01-02 10:29:30.000000 ... future cron 15 30 * * * *')).toBe('2026-01-02T10:30:15.000Z');
		expect(at('repeat 2026-01-02 10:00:00.000000 ... future cron 0 0 0 * 7 *')).toBe('2026-01-04T00:00:00.000Z');
		expect(firstRun('repeat 2026-01-02 10:00:00.000000 ... future cron 0 0 0 30 * 2')).toBeNull(); // no such day
	});
});
