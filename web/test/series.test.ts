// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';

import { parseRange } from '../src/lib/range';
import { append, describe, dropBefore, emptySeries } from '../src/lib/series';
import { smokeData, typicalStep } from '../src/lib/smoke';

const row = (second: number, median: number | null) => ({ time: new Date(second * 1000).toISOString(), rtt_p50_seconds: median });

test('a row that the stream repeats is not drawn twice', () => {
	const series = emptySeries(['rtt_p50_seconds']);
	expect(append(series, [row(1, 0.01), row(2, 0.02)])).toBe(2);
	expect(append(series, [row(2, 0.02), row(3, null)])).toBe(1);
	expect(series.time).toEqual([1, 2, 3]);
	expect(series.columns.rtt_p50_seconds).toEqual([0.01, 0.02, null]);
});

test('old points leave all columns together', () => {
	const series = emptySeries(['rtt_p50_seconds']);
	append(series, [row(1, 1), row(2, 2), row(3, 3)]);
	dropBefore(series, 3);
	expect(series).toEqual({ time: [3], columns: { rtt_p50_seconds: [3] } });
});

test('a pause in measuring stays a gap in the chart', () => {
	const series = emptySeries(['rtt_p50_seconds']);
	append(series, [row(1, 1), row(2, 1), row(3, 1), row(60, 1)]);
	const [time, , , median] = smokeData(series);
	expect(time).toEqual([1, 2, 3, 4, 60]);
	expect(median).toEqual([1, 1, 1, null, 1]);
});

test('the typical step ignores a single pause', () => expect(typicalStep([1, 2, 3, 90, 91])).toBe(1));

test('a screen reader hears last, minimum, median and maximum', () => {
	const series = emptySeries(['rtt_p50_seconds']);
	append(series, [row(1, 3), row(2, 1), row(3, 2)]);
	expect(describe(series, 'rtt_p50_seconds', String)).toBe('last 2, minimum 1, median 2, maximum 3');
});

test('a range that stands still is read back, nonsense falls back to five minutes', () => {
	expect(parseRange('100..200')).toMatchObject({ live: false, from: 100, to: 200, seconds: 100 });
	expect(parseRange('200..100')).toMatchObject({ live: true, key: '-5m' });
	expect(parseRange('-6h')).toMatchObject({ live: true, seconds: 21600 });
});
