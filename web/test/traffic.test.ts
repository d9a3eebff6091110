// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { bandsOf, type Groups, linesOf, nameOfGroup, nameOfPercent, stack } from '../src/lib/traffic';

const answer: Groups = {
	by: 'application',
	weights: ['c_bytes', 's_bytes'],
	bin_seconds: 10,
	time: [1000, 1010],
	groups: [
		{ value: 'tls', rows: 3, weight: 300, sums: {}, bins: [100, 200] },
		{ value: null, rows: 1, weight: 50, sums: {}, bins: [50, 0] },
	],
	others: { values: 4, rows: 4, weight: 10, sums: {}, bins: [0, 10] },
	total: { rows: 8, weight: 360, sums: {} },
};

describe('bands', () => {
	it('are rates in bit/s, the others last', () => {
		const bands = bandsOf(answer);
		expect(bands.map((b) => b.name)).toEqual(['tls', 'unknown', '4 others']);
		expect(bands[0]!.rate).toEqual([80, 160]);
	});
	it('have no others where there are none', () => {
		expect(bandsOf({ ...answer, others: { ...answer.others, rows: 0 } })).toHaveLength(2);
	});
	it('stand on each other, the whole drawn first', () => {
		expect(stack(bandsOf(answer), answer.time!)).toEqual([
			[1000, 1010],
			[120, 168],
			[120, 160],
			[80, 160],
		]);
	});
});

describe('distributions', () => {
	const quantiles = { bin_seconds: 10, time: [1000, 1010], percents: [50, 99], columns: { a: { rows: [1, 0], values: [[1, null], [2, null]] } } };
	it('are a line per percent', () => {
		expect(linesOf(quantiles, 'a').map((l) => [l.key, l.values])).toEqual([
			['50', [1, null]],
			['99', [2, null]],
		]);
	});
	it('are none for a column that was not asked for', () => {
		expect(linesOf(quantiles, 'b')).toEqual([]);
	});
	it('are named as people say', () => {
		expect([nameOfPercent('50'), nameOfPercent('99'), nameOfPercent('100')]).toEqual(['median', '99 %', 'maximum']);
	});
});

it('a value that is none has a name', () => {
	expect([nameOfGroup(null), nameOfGroup(''), nameOfGroup(443), nameOfGroup('dns')]).toEqual(['unknown', 'unknown', '443', 'dns']);
});
