// SPDX-License-Identifier: Apache-2.0
// Results of a measurement as lines over time: one for each node and key.

import type uPlot from 'uplot';

import type { Row } from './types';

export interface Line {
	node: string;
	key: string; // '' where the dataset has none
	time: number[]; // Unix seconds, ascending
	values: (number | null)[];
}

export const LINES_MAX = 12; // more cannot be told apart
const POINTS_MAX = 5000; // of one line

const idOf = (node: string, key: string) => `${node}\n${key}`;

// Adds rows (in any order; those without a number stay as gaps) to lines; a repeat of a moment is the
// same result again. Returns the lines, in the order in which they were first seen.
export function addRows(lines: Line[], rows: Row[], column: string, key: string | null): Line[] {
	const all = new Map(lines.map((line) => [idOf(line.node, line.key), line]));
	const sorted = [...rows].sort((a, b) => String(a.time).localeCompare(String(b.time)));
	for (const row of sorted) {
		const [node, of] = [String(row.node ?? ''), key ? String(row[key] ?? '') : ''];
		let line = all.get(idOf(node, of));
		if (!line) all.set(idOf(node, of), (line = { node, key: of, time: [], values: [] }));
		const time = Date.parse(String(row.time)) / 1000;
		if (time <= (line.time.at(-1) ?? -Infinity)) continue;
		const value = row[column];
		line.time.push(time);
		line.values.push(typeof value === 'number' ? value : null);
		if (line.time.length > POINTS_MAX) {
			line.time.shift();
			line.values.shift();
		}
	}
	return [...all.values()];
}

// uPlot wants one time axis for all; a line has `undefined` (joined over) where it has no row.
export function alignLines(lines: Line[]): uPlot.AlignedData {
	const times = [...new Set(lines.flatMap((l) => l.time))].sort((a, b) => a - b);
	const at = new Map(times.map((t, i) => [t, i]));
	const columns = lines.map((line) => {
		const out: (number | null | undefined)[] = times.map(() => undefined);
		line.time.forEach((t, i) => (out[at.get(t)!] = line.values[i]));
		return out;
	});
	return [times, ...columns] as uPlot.AlignedData;
}

export interface Summary {
	count: number; // of values
	last: number | null;
	min: number | null;
	median: number | null;
	max: number | null;
}

export function summaryOf(line: Line): Summary {
	const sorted = line.values.filter((v): v is number => v !== null).sort((a, b) => a - b);
	return {
		count: sorted.length,
		last: line.values.at(-1) ?? null,
		min: sorted[0] ?? null,
		median: sorted[Math.floor((sorted.length - 1) / 2)] ?? null,
		max: sorted.at(-1) ?? null,
	};
}
