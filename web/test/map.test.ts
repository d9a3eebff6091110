// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';

import { heapsOf } from '../src/lib/map';

const mark = (node: string, x: number, y: number) => ({ node, x, y });
const names = (heaps: { node: string }[][]) => heaps.map((heap) => heap.map((m) => m.node).join(''));

test('marks near each other are one heap, also over the border of a cell', () => {
	expect(names(heapsOf([mark('a', 35, 35), mark('b', 37, 37), mark('c', 200, 0)], 36))).toEqual(['ab', 'c']);
});

test('a chain of marks does not become one heap without end', () => {
	expect(names(heapsOf([0, 30, 60, 90].map((x, i) => mark('abcd'[i]!, x, 0)), 36))).toEqual(['ab', 'cd']);
});

test('a thousand marks at one place are one heap', () => {
	expect(heapsOf(Array.from({ length: 1000 }, (_, i) => mark(`${i}`, -5, -5)), 36)).toHaveLength(1);
});
