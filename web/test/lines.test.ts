// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';

import { alignLines, linesOf } from '../src/lib/lines';

const row = (node: string, second: number, value: number | null, target = 'a') => ({
	node,
	target,
	time: `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`,
	rtt: value,
});
const upper = (id: string) => id.toUpperCase();

test('results become one line for each node and key, in the order of time', () => {
	const lines = linesOf([row('x', 2, 3), row('x', 1, 2), row('y', 1, 5), row('x', 1, 9, 'b')], 'rtt', 'target', upper);
	expect(lines.map((l) => l.name)).toEqual(['X → a', 'Y → a', 'X → b']);
	expect(lines[0]!.values).toEqual([2, 3]);
});

test('a result without a value is a gap, a moment without a result is not', () => {
	const [time, x, y] = alignLines(linesOf([row('x', 1, null), row('x', 2, 1), row('y', 1, 4)], 'rtt', null, upper));
	expect(time).toHaveLength(2);
	expect(x).toEqual([null, 1]);
	expect(y).toEqual([4, undefined]);
});

test('more lines than can be told apart are left out', () => {
	const many = Array.from({ length: 30 }, (_, i) => row(`n${i}`, 1, i));
	expect(linesOf(many, 'rtt', null, upper)).toHaveLength(12);
});
