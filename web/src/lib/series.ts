// SPDX-License-Identifier: Apache-2.0
// A chart's data: binned history from the hub, continued by rows from the event stream.

import type { Row, Series } from './types';

export const PING_COLUMNS = [
	'rtt_min_seconds',
	'rtt_p5_seconds',
	'rtt_p25_seconds',
	'rtt_p50_seconds',
	'rtt_p75_seconds',
	'rtt_p95_seconds',
	'rtt_max_seconds',
	'loss_ratio',
] as const;

export function emptySeries(columns: readonly string[]): Series {
	return { time: [], columns: Object.fromEntries(columns.map((name) => [name, []])) };
}

// Appends rows in time order; a row that is not newer than the last point is a repeat of it (the
// stream resumed) and is left out. Returns how many were added.
export function append(series: Series, rows: Row[]): number {
	let added = 0;
	for (const row of rows) {
		const time = Date.parse(String(row.time)) / 1000;
		if (!(time > (series.time.at(-1) ?? -Infinity))) continue;
		series.time.push(time);
		for (const [name, values] of Object.entries(series.columns)) {
			const value = row[name];
			values.push(typeof value === 'number' ? value : null);
		}
		added++;
	}
	return added;
}

export function dropBefore(series: Series, from: number) {
	const keep = series.time.findIndex((t) => t >= from);
	const count = keep < 0 ? series.time.length : keep;
	if (count === 0) return;
	series.time.splice(0, count);
	for (const values of Object.values(series.columns)) values.splice(0, count);
}

// What a screen reader says for a chart.
export function describe(series: Series, column: string, show: (v: number | null) => string): string {
	const values = (series.columns[column] ?? []).filter((v): v is number => v !== null);
	if (values.length === 0) return 'no values in this range';
	const sorted = [...values].sort((a, b) => a - b);
	const median = sorted[Math.floor((sorted.length - 1) / 2)] ?? null;
	return `last ${show(values.at(-1) ?? null)}, minimum ${show(sorted[0] ?? null)}, median ${show(median)}, maximum ${show(sorted.at(-1) ?? null)}`;
}
