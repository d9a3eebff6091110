// SPDX-License-Identifier: Apache-2.0
import { describe, expect, test } from 'vitest';

import { ago, bytes, lossMood, quantity, ratio, relative, seconds, zone } from '../src/lib/format';

describe('numbers as people read them', () => {
	test.each([
		[0.0000421, '42 µs'],
		[0.00125, '1.25 ms'],
		[0.0421, '42.1 ms'],
		[0.25, '250 ms'],
		[12.34, '12.3 s'],
	])('%d seconds read as %s', (value, text) => expect(seconds(value)).toBe(text));

	test('no value is a dash, never a zero', () => {
		for (const show of [seconds, ratio, bytes]) expect(show(null)).toBe('–');
		expect(seconds(NaN)).toBe('–');
	});

	test('a small loss is not rounded away', () => {
		expect(ratio(0.0004)).toBe('< 0.1 %');
		expect(ratio(0)).toBe('0 %');
		expect(ratio(0.031)).toBe('3.1 %');
	});

	test('bytes use decimal units', () => expect(bytes(1234567)).toBe('1.23 MB'));

	test('loss of five percent is bad, unknown loss is unknown', () => {
		expect(lossMood(0.05)).toBe('bad');
		expect(lossMood(0.01)).toBe('warn');
		expect(lossMood(null)).toBe('unknown');
	});

	test('a node that was never seen says so', () => {
		expect(ago(null, 0)).toBe('never');
		expect(ago('1970-01-01T00:00:00Z', 90000)).toBe('1 min ago');
	});
});

describe('values with their unit', () => {
	test.each([
		[0.0421, 's', '', '42.1 ms'],
		[1500, 'us', '', '1.50 ms'],
		[1234567, 'B', '', '1.23 MB'],
		[2500, 'kbps', '', '2.5 Mbit/s'],
		[0.05, '1', 'loss_ratio', '5.0 %'],
		[12345, 'packets', '', '12 345'],
		[1.23456789, '1', '', '1.2346'],
		[7, 'hops', '', '7 hops'],
		[38674, '1', 'c_port', '38674'],
		[null, 's', '', '–'],
	])('%s %s', (value, unit, name, text) => expect(quantity(value, unit, name)).toBe(text));

	test('moments are ago or ahead', () => {
		const now = Date.parse('2026-01-01T00:00:00Z');
		expect(relative('2025-12-31T23:55:00Z', now)).toBe('5 min ago');
		expect(relative('2026-01-01T03:00:00Z', now)).toBe('in 3 h');
		expect(relative(null, now)).toBe('–');
	});
});

describe('times', () => {
	test('what is long ago, or far ahead, is a date', () => {
		const now = Date.parse('2026-06-15T12:00:00Z');
		expect(ago('2015-07-12T12:00:00Z', now)).toBe('2015-07-12');
		expect(relative('2027-06-15T12:00:00Z', now)).toBe('2027-06-15');
		expect(ago('2026-05-15T12:00:00Z', now)).toBe('31 d ago');
	});

	test('the zone has a name and an offset', () => {
		expect(zone().offset).toMatch(/^UTC([+−]\d{1,2}(:\d\d)?)?$/);
		expect(zone().name).not.toBe('');
	});

	test('no time at all has no prefix', () => expect(seconds(0)).toBe('0 s'));
});
