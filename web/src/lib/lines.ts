// SPDX-License-Identifier: Apache-2.0
// Results of a measurement as lines over time: one for each node and key.

import type uPlot from 'uplot';

import type { Row } from './types';

export interface Line {
	name: string;
	time: number[];
	values: (number | null)[];
}

const LINES_MAX = 12; // more cannot be told apart

// Rows in any order; rows without a number stay as gaps.
export function linesOf(rows: Row[], column: string, key: string | null, nodeName: (id: string) => string): Line[] {
	const lines = new Map<string, Line>();
	const sorted = [...rows].sort((a, b) => String(a.time).localeCompare(String(b.time)));
	for (const row of sorted) {
		const name = [nodeName(String(row.node ?? '')), key ? String(row[key] ?? '') : ''].filter(Boolean).join(' → ');
		let line = lines.get(name);
		if (!line) {
			if (lines.size >= LINES_MAX) continue;
			lines.set(name, (line = { name, time: [], values: [] }));
		}
		const value = row[column];
		line.time.push(Date.parse(String(row.time)) / 1000);
		line.values.push(typeof value === 'number' ? value : null);
	}
	return [...lines.values()];
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
