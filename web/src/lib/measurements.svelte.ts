// SPDX-License-Identifier: Apache-2.0
// A list of measurements, newest first: loaded page by page and kept by the stream while somebody looks.

import { get, Problem, query } from './api';
import { listenOrPoll } from './events.svelte';
import { hasEnded, type Measurement } from './measure';
import type { Page } from './types';

const PAGE = 50;
const SETTLE_MS = 400;

export interface Wanted {
	show: 'all' | 'running' | 'ended';
	owner?: string; // user:alice
	node?: string; // id; then the stream cannot tell what fits, and asks
}

export const STATES_OF = { all: undefined, running: 'waiting,running', ended: 'done,failed,stopped' };

export class MeasurementList {
	items = $state<Measurement[]>([]);
	loaded = $state(false);
	problem = $state<Problem | undefined>();
	next = $state<string | null>(null);

	constructor(readonly wanted: Wanted) {}

	private path = (cursor?: string | null, limit = PAGE) =>
		`/measurements${query({ state: STATES_OF[this.wanted.show], owner: this.wanted.owner, node: this.wanted.node, limit, cursor })}`;

	private fits = (m: Measurement) =>
		(this.wanted.show === 'all' || (this.wanted.show === 'ended') === hasEnded(m)) && (!this.wanted.owner || this.wanted.owner === m.owner);

	load = async () => {
		try {
			const page = await get<Page<Measurement>>(this.path(null, Math.max(PAGE, this.items.length)));
			[this.items, this.next] = [page.items, page.next];
			this.problem = undefined;
		} catch (problem) {
			this.problem = problem as Problem;
		}
		this.loaded = true;
	};

	more = async () => {
		try {
			const page = await get<Page<Measurement>>(this.path(this.next));
			const known = new Set(this.items.map((m) => m.id));
			this.items.push(...page.items.filter((m) => !known.has(m.id)));
			this.next = page.next;
		} catch (problem) {
			this.problem = problem as Problem;
		}
	};

	// Ids grow with time: one that is older than what is shown belongs to a page that was not asked for.
	private put(fresh: Measurement) {
		const at = this.items.findIndex((m) => m.id === fresh.id);
		if (at >= 0 && this.fits(fresh)) this.items[at] = { ...this.items[at], ...fresh };
		else if (at >= 0) this.items.splice(at, 1);
		else if (this.wanted.node) this.ask();
		else if (this.fits(fresh) && (this.next === null || fresh.id > (this.items.at(-1)?.id ?? ''))) {
			const before = this.items.findIndex((m) => m.id < fresh.id);
			this.items.splice(before < 0 ? this.items.length : before, 0, fresh);
		}
	}

	// A busy measurement changes ten times a second: people need it less often.
	private fresh = new Map<string, Measurement>();
	private settling: ReturnType<typeof setTimeout> | undefined;
	private take = (measurement: Measurement) => {
		this.fresh.set(measurement.id, measurement);
		this.settling ??= setTimeout(() => {
			this.settling = undefined;
			const all = [...this.fresh.values()];
			this.fresh.clear();
			all.forEach((m) => this.put(m));
		}, SETTLE_MS);
	};

	private waiting: ReturnType<typeof setTimeout> | undefined;
	private ask = () => {
		this.waiting ??= setTimeout(() => {
			this.waiting = undefined;
			void this.load();
		}, 1000);
	};

	follow = (): (() => void) => {
		void this.load();
		const stop = listenOrPoll(['measurements'], { measurement: this.take, reset: () => void this.load() });
		return () => {
			clearTimeout(this.waiting);
			clearTimeout(this.settling);
			stop();
		};
	};
}
