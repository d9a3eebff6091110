// SPDX-License-Identifier: Apache-2.0
// What a measurement has found: the newest rows for the table, lines for the chart, both kept by the
// stream. A chart that would need too many rows is drawn from bins that the hub merges.

import { get, Problem, query } from './api';
import { type Column, compare } from './capability';
import { listenOrPoll } from './events.svelte';
import { nodeName } from './fleet.svelte';
import { addRows, type Line, LINES_MAX } from './lines';
import type { Measurement } from './measure';
import { session } from './session.svelte';
import type { Page, Row, Series } from './types';

export interface Dataset {
	name: string;
	key: string | null;
	chart: string | null;
	columns: Column[];
}

const TABLE = 100; // rows of one page of the table
const HELD = 1000; // rows that are kept
const DRAWN = 5000; // rows that a chart is drawn from; beyond that bins
const BINS = 400;

export interface Look {
	column?: string; // drawn; without one what the dataset says
	node?: string; // only this one's
	since?: string;
	until?: string;
}

export const isNumeric = (c: Column) => c.type === 'number' || c.type === 'integer';
export const topicOf = (dataset: string) => (dataset.startsWith('mp_') ? 'results' : dataset);

const same = (a: Row, b: Row) => a.node === b.node && a.seq === b.seq && a.time === b.time;

export class Results {
	dataset = $state.raw<Dataset | undefined>();
	rows = $state.raw<Row[]>([]);
	next = $state<string | null>(null);
	lines = $state.raw<Line[]>([]);
	binned = $state(false);
	clipped = $state(false); // there is more than what is drawn, and nobody merges it for us
	column = $state.raw<Column | undefined>();
	loaded = $state(false);
	problem = $state.raw<Problem | undefined>();

	private look: Look = {};
	private turn = 0; // an answer to an older question is left aside

	// `other`: a dataset beside the measurement's own, for results of mPlane peers.
	constructor(
		private readonly measurement: () => Measurement,
		readonly other?: string,
	) {}

	get name() {
		return this.other ?? this.measurement().dataset;
	}

	// Path of all rows, with what narrows them.
	pathOf(more: Record<string, string | number | null | undefined> = {}) {
		const { id, created } = this.measurement();
		const { node, since, until } = this.look;
		if (!this.other) return `/measurements/${id}/results${query({ node, since, until, ...more })}`;
		return `/datasets/${this.other}/rows${query({ task: id, node, since: since ?? created, until, ...more })}`;
	}

	load = async (look: Look) => {
		this.look = look;
		const turn = ++this.turn;
		try {
			// The dataset of a peer begins with its first result.
			this.dataset = this.dataset ?? (await get<Dataset>(`/datasets/${encodeURIComponent(this.name)}`).catch((p: Problem) => (p.status === 404 ? undefined : Promise.reject(p))));
			const page = await get<Page<Row>>(this.pathOf({ limit: TABLE }));
			if (turn !== this.turn) return;
			[this.rows, this.next] = [page.items, page.next];
			this.choose();
			await this.draw(turn);
			this.problem = undefined;
		} catch (problem) {
			if (turn === this.turn) this.problem = problem as Problem;
		}
		if (turn === this.turn) this.loaded = true;
	};

	// Columns with numbers that say something about the rows at hand.
	get numeric(): Column[] {
		return this.dataset?.columns.filter((c) => isNumeric(c) && c.name !== 'seq' && this.rows.some((r) => typeof r[c.name] === 'number')) ?? [];
	}

	private choose() {
		const { numeric, rows } = this;
		const wanted = [this.look.column, this.dataset?.chart].flatMap((name) => numeric.find((c) => c.name === name) ?? []);
		const varies = (c: Column) => rows.some((r) => r[c.name] !== rows[0]![c.name]);
		const measured = (c: Column) => c.name.endsWith('_ratio') || !['1', 'B', 'packets', ''].includes(c.unit ?? '');
		const failed = rows.every((r) => r.status === 'failed'); // then all numbers are those of the question
		this.column = wanted[0] ?? (failed ? undefined : (numeric.find((c) => measured(c) && varies(c)) ?? numeric.find(varies) ?? numeric[0]));
	}

	private sorted = (lines: Line[]) => {
		const name = (line: Line) => `${nodeName(line.node)} ${line.key}`;
		return lines.sort((a, b) => compare(name(a), name(b)));
	};

	private async draw(turn: number) {
		const { column, dataset } = this;
		if (!column || !dataset) {
			this.lines = [];
			return;
		}
		const fields = ['time', 'node', 'seq', ...(dataset.key ? [dataset.key] : []), column.name].join(',');
		const page = await get<Page<Row>>(this.pathOf({ fields, limit: DRAWN }));
		if (turn !== this.turn) return;
		const lines = this.sorted(addRows([], page.items, column.name, dataset.key));
		const binned = page.next !== null && session.readAll;
		this.lines = binned ? await this.bins(lines, column, dataset) : lines;
		this.binned = binned;
		this.clipped = page.next !== null && !binned;
	}

	private async bins(lines: Line[], column: Column, dataset: Dataset): Promise<Line[]> {
		const m = this.measurement();
		const since = this.look.since ?? m.starts ?? m.created;
		return Promise.all(
			lines.slice(0, LINES_MAX).map(async (line) => {
				const of = { task: m.id, node: line.node, ...(dataset.key && { [dataset.key]: line.key }) };
				const series = await get<Series>(`/datasets/${dataset.name}/series${query({ ...of, since, until: this.look.until, points: BINS, fields: column.name })}`);
				return { ...line, time: series.time, values: series.columns[column.name] ?? [] };
			}),
		);
	}

	more = async () => {
		try {
			const page = await get<Page<Row>>(this.pathOf({ limit: TABLE, cursor: this.next }));
			this.rows = [...this.rows, ...page.items].slice(0, HELD);
			this.next = this.rows.length < HELD ? page.next : null;
		} catch (problem) {
			this.problem = problem as Problem;
		}
	};

	private take = (dataset: string, fresh: Row[]) => {
		const m = this.measurement();
		if (dataset !== this.name || this.look.until) return;
		const ours = fresh.filter((row) => row.task === m.id && (!this.look.node || row.node === this.look.node) && !this.rows.some((old) => same(old, row)));
		if (ours.length === 0) return;
		if (!this.dataset || this.rows.length === 0) {
			void this.load(this.look); // the first ones tell what there is to draw
			return;
		}
		this.rows = [...ours.reverse(), ...this.rows].slice(0, HELD);
		if (this.column) this.lines = this.sorted(addRows(this.lines, ours, this.column.name, this.dataset.key));
	};

	follow = (): (() => void) =>
		listenOrPoll([topicOf(this.name)], { rows: (name, _, fresh) => this.take(name, fresh), reset: () => void this.load(this.look) });
}

// Where peers put results of a measurement whose own dataset is that of a method.
export async function datasetsOfPeers(m: Measurement): Promise<string[]> {
	if (m.dataset.startsWith('mp_') || !m.parts?.some((p) => p.provider.startsWith('peer:'))) return [];
	const name = new RegExp(`^mp_${m.capability.toLowerCase().replace(/[^a-z0-9]/g, '_')}_[0-9a-f]{8}$`);
	const all = await get<Page<{ name: string }>>('/datasets?limit=10000');
	const theirs = all.items.map((d) => d.name).filter((n) => name.test(n));
	const pages = await Promise.all(theirs.map((n) => get<Page<Row>>(`/datasets/${n}/rows${query({ task: m.id, since: m.created, limit: 1, fields: 'time' })}`)));
	return theirs.filter((_, i) => pages[i]!.items.length > 0);
}
