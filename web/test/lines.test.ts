// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';

import { addRows, alignLines, summaryOf } from '../src/lib/lines';

const row = (node: string, second: number, value: number | null, target = 'a') => ({
	node,
	target,
	time: `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`,
	rtt: value,
});

test('results become one line for each node and key, in the order of time', () => {
	const lines = addRows([], [row('x', 2, 3), row('x', 1, 2), row('y', 1, 5), row('x', 1, 9, 'b')], 'rtt', 'target');
	expect(lines.map((l) => l.node + l.key)).toEqual(['xa', 'ya', 'xb']);
	expect(lines[0]!.values).toEqual([2, 3]);
});

test('fresh results go on with their lines, and repeats are left out', () => {
	let lines = addRows([], [row('x', 1, 1)], 'rtt', 'target');
	lines = addRows(lines, [row('x', 1, 1), row('x', 2, 4), row('y', 2, 7)], 'rtt', 'target');
	expect(lines.map((l) => l.values)).toEqual([[1, 4], [7]]);
});

test('a result without a value is a gap, a moment without a result is not', () => {
	const [time, x, y] = alignLines(addRows([], [row('x', 1, null), row('x', 2, 1), row('y', 1, 4)], 'rtt', null));
	expect(time).toHaveLength(2);
	expect(x).toEqual([null, 1]);
	expect(y).toEqual([4, undefined]);
});

test('a line in numbers', () => {
	const [line] = addRows([], [row('x', 1, 3), row('x', 2, 1), row('x', 3, null), row('x', 4, 2)], 'rtt', null);
	expect(summaryOf(line!)).toEqual({ count: 3, last: 2, min: 1, median: 2, max: 3 });
	expect(summaryOf({ node: 'x', key: '', time: [], values: [] })).toEqual({ count: 0, last: null, min: null, median: null, max: null });
});
