// SPDX-License-Identifier: Apache-2.0
// What the store holds, where it comes from and how it is taken away: the hub's answers and what pages say of them.

import { query } from './api';
import type { Mood } from './format';
import type { Row } from './types';

export interface Column {
	name: string;
	type: string;
	unit: string | null;
	help: string;
}

export interface Dataset {
	name: string;
	version: number;
	title: string;
	help: string;
	columns: Column[];
	key: string | null; // column that tells the series of a node apart
}

// How much of a dataset there is; the hub counts versions apart.
export interface Stored {
	name: string;
	version: number;
	rows: number;
	local_rows: number;
	bytes: number;
	first: string | null;
	last: string | null;
	days: number;
}

export interface Source {
	name: string;
	kind: string;
	state: 'current' | 'lagging' | 'silent';
	last: string | null;
	lag_seconds: number | null;
	waiting_rows: number | null;
	waiting_bytes: number | null;
	stored_rows: number | null;
	reason: string | null;
}

export interface Import {
	id: string;
	name: string;
	form: string;
	state: 'waiting' | 'running' | 'done' | 'failed' | 'cancelled';
	bytes: number | null;
	taken_bytes: number;
	rows: number;
	bad_lines: number;
	unknown: number;
	duplicate: boolean;
	reason: string | null;
	by: string | null;
	created: string;
	started: string | null;
	ended: string | null;
}

export interface Quarantined {
	id: string;
	time: string;
	source: string;
	kind: string;
	dataset: string | null;
	reason: string;
	bytes: number;
	tries: number;
}

export interface Dump {
	day: string;
	dataset: string;
	format: string;
	file: string;
	bytes: number;
	rows: number;
	sha256: string;
	url: string;
}

export interface StoreProblem {
	what: string;
	reason: string;
	next: string;
}

export interface Store {
	backend: string;
	path: string;
	bytes: number;
	free_bytes: number | null;
	rows: number;
	local_rows: number;
	days: number;
	first: string | null;
	last: string | null;
	retention_days: number | null;
	problems: StoreProblem[];
	tidy: { merges: number; last: string | null } | null;
	clickhouse: {
		url: string;
		cluster: string | null;
		version: string | null;
		state: 'ok' | 'lagging' | 'unreachable';
		reason: string | null;
		since: string | null;
		moved_rows: number;
		waiting_rows: number;
		oldest_waiting: string | null;
	} | null;
	replica: { of: string; state: string; reason: string | null; lag_seconds: number | null; rows: number } | null;
}

export interface StoreDay {
	day: string;
	rows: number;
	local_rows: number;
	bytes: number;
	batches: number;
}

export interface StoreJob {
	id: string;
	kind: string;
	state: 'running' | 'done' | 'failed';
	reason: string | null;
	done: number;
	total: number;
	started: string;
	ended: string | null;
	findings: unknown[];
}

export const FORMATS = [
	{ format: 'csv', title: 'CSV (RFC 4180)', suffix: 'csv' },
	{ format: 'jsonl', title: 'JSON Lines', suffix: 'jsonl' },
	{ format: 'parquet', title: 'Parquet', suffix: 'parquet' },
	{ format: 'monroe', title: "MONROE's daily dump", suffix: 'monroe.csv' },
] as const;

// MONROE's form is only for its tables.
export const formatsOf = (dataset: string) => FORMATS.filter((f) => f.format !== 'monroe' || dataset.startsWith('monroe_'));

export interface Stretch {
	since?: string;
	until?: string;
}

export const exportPath = (dataset: string, format: string, stretch: Stretch) => `/datasets/${dataset}/export${query({ format, ...stretch })}`;

export function exportCommand(dataset: string, format: string, stretch: Stretch): string {
	const from = stretch.since ? ` --from ${stretch.since}` : '';
	const to = stretch.until ? ` --to ${stretch.until}` : '';
	return `sonde export ${dataset}${from}${to} --format ${format} -o ${exportFile(dataset, format)}`;
}

export const exportFile = (dataset: string, format: string) => `${dataset}.${FORMATS.find((f) => f.format === format)?.suffix ?? format}`;

// One line per dataset: versions put together, those with rows first, the largest of them first.
export interface DatasetLine {
	name: string;
	title: string;
	rows: number;
	bytes: number;
	first: string | null;
	last: string | null;
	days: number;
}

const earlier = (a: string | null, b: string | null) => (a === null || (b !== null && b < a) ? b : a);
const later = (a: string | null, b: string | null) => (a === null || (b !== null && b > a) ? b : a);

export function datasetLines(known: Pick<Dataset, 'name' | 'title'>[], stored: Stored[]): DatasetLine[] {
	const lines = new Map(known.map((d) => [d.name, { name: d.name, title: d.title, rows: 0, bytes: 0, first: null, last: null, days: 0 } as DatasetLine]));
	for (const part of stored) {
		const line = lines.get(part.name) ?? { name: part.name, title: 'not declared any more', rows: 0, bytes: 0, first: null, last: null, days: 0 };
		line.rows += part.rows;
		line.bytes += part.bytes;
		line.first = earlier(line.first, part.first);
		line.last = later(line.last, part.last);
		line.days = Math.max(line.days, part.days);
		lines.set(part.name, line);
	}
	return [...lines.values()].sort((a, b) => b.rows - a.rows || a.name.localeCompare(b.name));
}

// The columns that say most of these rows, in their order: those whose values differ come before those that repeat one.
export function tellingColumns(columns: Column[], rows: Row[], most: number, key: string | null = null): Column[] {
	const values = (column: Column) => new Set(rows.map((row) => row[column.name]).filter((value) => value !== null && value !== undefined)).size;
	const rank = (column: Column) => (['time', 'node', key].includes(column.name) ? 0 : values(column) > 1 ? 1 : 2);
	const told = columns.filter((column) => values(column) > 0 && column.name !== 'task' && column.name !== 'seq');
	const kept = new Set([...told].sort((a, b) => rank(a) - rank(b)).slice(0, most));
	return told.filter((column) => kept.has(column));
}

export const sourceMood = (source: Source): Mood => ({ current: 'good', lagging: 'warn', silent: 'bad' })[source.state] as Mood;

export const importMood = (job: Import): Mood => (job.state === 'failed' ? 'bad' : job.state === 'done' ? (job.bad_lines > 0 || job.reason ? 'warn' : 'good') : 'unknown');

// How far a thing is, from 0 to 1; undefined where the whole is not known.
export const share = (done: number, total: number | null | undefined): number | undefined => (total ? Math.min(1, done / total) : undefined);

// Hexadecimal, as the hub compares it.
export async function digestOf(bytes: ArrayBuffer): Promise<string> {
	const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
	return [...digest].map((b) => b.toString(16).padStart(2, '0')).join('');
}
