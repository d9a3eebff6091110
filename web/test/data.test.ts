// SPDX-License-Identifier: Apache-2.0
import { describe, expect, it } from 'vitest';

import { datasetLines, digestOf, exportCommand, exportPath, formatsOf, type Import, importMood, share, type Stored, tellingColumns } from '../src/lib/data';

const stored = (name: string, version: number, rows: number, first: string | null, last: string | null): Stored => ({ name, version, rows, local_rows: rows, bytes: rows * 40, first, last, days: 1 });

describe('datasets', () => {
	const known = [
		{ name: 'flow', title: 'Flows' },
		{ name: 'ping', title: 'Round trips' },
		{ name: 'health', title: 'Health' },
	];

	it('are one line each, versions put together, the largest first', () => {
		const lines = datasetLines(known, [
			stored('ping', 1, 10, '2026-03-01T00:00:00Z', '2026-03-02T00:00:00Z'),
			stored('ping', 2, 5, '2026-03-03T00:00:00Z', '2026-03-04T00:00:00Z'),
			stored('flow', 1, 100, '2026-03-02T00:00:00Z', '2026-03-02T00:00:00Z'),
		]);
		expect(lines.map((l) => [l.name, l.rows])).toEqual([['flow', 100], ['ping', 15], ['health', 0]]);
		expect(lines[1]).toMatchObject({ first: '2026-03-01T00:00:00Z', last: '2026-03-04T00:00:00Z', bytes: 600 });
	});

	it('that nobody declares any more are shown all the same', () => {
		expect(datasetLines([], [stored('old', 1, 3, null, null)])[0]).toMatchObject({ name: 'old', rows: 3, first: null });
	});

	it('without rows have no time, whatever is put together', () => {
		expect(datasetLines(known, [stored('ping', 1, 0, null, null), stored('ping', 2, 1, '2026-03-01T00:00:00Z', '2026-03-01T00:00:00Z')])[0]!.first).toBe('2026-03-01T00:00:00Z');
	});
});

describe('newest rows', () => {
	const column = (name: string) => ({ name, type: 'number', unit: null, help: '' });
	const columns = ['time', 'node', 'task', 'seq', 'family', 'error', 'rtt'].map(column);
	const rows = [
		{ time: 1, node: 'a', task: 'x', seq: 1, family: 4, error: null, rtt: 0.5 },
		{ time: 2, node: 'a', task: 'x', seq: 2, family: 4, error: null, rtt: 0.6 },
	];

	it('show the columns that differ before those that repeat one value, in their order', () => {
		expect(tellingColumns(columns, rows, 3).map((c) => c.name)).toEqual(['time', 'node', 'rtt']);
		expect(tellingColumns(columns, rows, 9).map((c) => c.name)).toEqual(['time', 'node', 'family', 'rtt']);
	});
});

describe('an export', () => {
	it('is a link and a command of the same range', () => {
		expect(exportPath('ping', 'parquet', { since: '-1h' })).toBe('/datasets/ping/export?format=parquet&since=-1h');
		expect(exportCommand('ping', 'parquet', { since: '-1h' })).toBe('sonde export ping --from -1h --format parquet -o ping.parquet');
		expect(exportPath('ping', 'csv', {})).toBe('/datasets/ping/export?format=csv');
	});

	it("has MONROE's form for its tables alone", () => {
		expect(formatsOf('ping').map((f) => f.format)).toEqual(['csv', 'jsonl', 'parquet']);
		expect(formatsOf('monroe_exp_ping').map((f) => f.format)).toContain('monroe');
	});
});

describe('an import', () => {
	const job = (state: Import['state'], bad_lines = 0) => ({ state, bad_lines }) as Import;

	it('with bad lines is done, but not all is well', () => {
		expect([importMood(job('done')), importMood(job('done', 2)), importMood(job('failed')), importMood(job('running'))]).toEqual(['good', 'warn', 'bad', 'unknown']);
	});

	it('of unknown size has no share', () => {
		expect([share(5, 10), share(20, 10), share(5, null), share(0, 0)]).toEqual([0.5, 1, undefined, undefined]);
	});

	it('is known by the digest that other programs compute', async () => {
		expect(await digestOf(new TextEncoder().encode('abc').buffer as ArrayBuffer)).toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
	});
});
