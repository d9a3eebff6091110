// SPDX-License-Identifier: Apache-2.0
// The nodes, and the last ping of each node to each target: loaded once, then kept by the stream.

import { get, Problem, query } from './api';
import { compare } from './capability';
import { listen } from './events.svelte';
import { session } from './session.svelte';
import type { Page, Row, SondeNode } from './types';

const TREND = 30; // points of each sparkline
const LATELY_MS = 5000;

export interface Path {
	node: string;
	target: string;
	last: Row;
	at: number; // when that was
	trend: (number | null)[];
}

// Not deep state: with a thousand nodes what changes is put in as a whole, a few times a second.
class Fleet {
	nodes = $state.raw<SondeNode[]>([]);
	paths = $state.raw<ReadonlyMap<string, Path>>(new Map());
	loaded = $state(false);
	pathsLoaded = $state(false);
	problem = $state.raw<Problem | undefined>();
	now = $state(Date.now());
	lately = $derived(Math.floor(this.now / LATELY_MS) * LATELY_MS); // for what goes through all paths

	byId = $derived(new Map(this.nodes.map((n) => [n.id, n])));
	byAddress = $derived.by(() => {
		const all = new Map<string, SondeNode>();
		for (const node of this.nodes) for (const link of node.interfaces ?? []) for (const address of link.addresses) if (!all.has(address)) all.set(address, node);
		return all;
	});
	pathsByNode = $derived.by(() => {
		const all = new Map<string, Path[]>();
		for (const path of this.paths.values()) {
			const of = all.get(path.node);
			if (of) of.push(path);
			else all.set(path.node, [path]);
		}
		for (const of of all.values()) of.sort((a, b) => compare(a.target, b.target));
		return all;
	});
}

export const fleet = new Fleet();

const key = (node: string, target: string) => `${node}\n${target}`;
export const pathOf = (node: string, target: string) => fleet.paths.get(key(node, target));

// What the stream tells is put in together.
const SETTLE_MS = 200;
const SETTLE_MANY_MS = 2000; // many paths change without end
const MANY = 2000;
let freshNodes = new Map<string, SondeNode>();
let freshRows: { node: string; row: Row }[] = [];
let settling: ReturnType<typeof setTimeout> | undefined;

function settle() {
	settling = undefined;
	if (freshNodes.size > 0) {
		const fresh = freshNodes;
		freshNodes = new Map();
		const old = fleet.nodes.map((n) => (fresh.has(n.id) ? { ...n, ...fresh.get(n.id)! } : n));
		fleet.nodes = [...old, ...[...fresh.values()].filter((n) => !fleet.byId.has(n.id))];
	}
	if (freshRows.length > 0) {
		const rows = freshRows;
		freshRows = [];
		putRows(rows);
	}
}

function settleSoon() {
	settling ??= setTimeout(settle, fleet.paths.size > MANY ? SETTLE_MANY_MS : SETTLE_MS);
}

function putNode(node: SondeNode) {
	freshNodes.set(node.id, { ...freshNodes.get(node.id), ...node });
	settleSoon();
}

function putRows(rows: { node: string; row: Row }[]) {
	const all = new Map(fleet.paths);
	for (const { node, row } of rows) {
		const target = String(row.target);
		const at = Date.parse(String(row.time));
		const median = typeof row.rtt_p50_seconds === 'number' ? row.rtt_p50_seconds : null;
		const path = all.get(key(node, target));
		if (!path) all.set(key(node, target), { node, target, last: row, at, trend: [median] });
		else if (at > path.at) all.set(key(node, target), { ...path, last: row, at, trend: [...path.trend.slice(1 - TREND), median] });
	}
	fleet.paths = all;
}

async function loadNodes() {
	try {
		const nodes: SondeNode[] = [];
		let cursor: string | null = null;
		do {
			const page: Page<SondeNode> = await get(`/nodes${query({ limit: 1000, cursor })}`);
			nodes.push(...page.items);
			cursor = page.next;
		} while (cursor);
		fleet.nodes = nodes;
		fleet.problem = undefined;
	} catch (problem) {
		fleet.problem = problem as Problem;
	}
	fleet.loaded = true;
}

// Without the rows the nodes are still worth seeing.
async function loadPaths() {
	if (!session.readAll) return;
	try {
		putRows((await get<Page<Row>>('/datasets/ping/latest')).items.map((row) => ({ node: String(row.node), row })));
	} catch {
		// "no value" is what the views say
	}
	fleet.pathsLoaded = true;
}

export function follow(): () => void {
	const load = () => void loadNodes();
	load();
	const tick = setInterval(() => (fleet.now = Date.now()), 1000);
	const stop = listen(['nodes'], { node: putNode, reset: load });
	return () => {
		clearInterval(tick);
		stop();
	};
}

// For views that show paths: rows of many nodes are much, and not for every page.
export function followPaths(): () => void {
	const load = () => void loadPaths();
	load();
	return listen(['ping'], {
		rows: (_, node, rows) => {
			freshRows.push(...rows.map((row) => ({ node, row })));
			settleSoon();
		},
		reset: load,
	});
}

// Rows name a node of ours by its id, and a peer by "peer:" and its identity.
export const nodeName = (id: string) => fleet.byId.get(id)?.name ?? id.replace(/^peer:/, '');

export const pathsOf = (node: string): readonly Path[] => fleet.pathsByNode.get(node) ?? [];

// A path whose last row is older than this says nothing about now.
const STALE_MS = 60000;

export function nodeNow(node: string): { loss: number | null; median: number | null; targets: number } {
	const fresh = pathsOf(node).filter((p) => fleet.lately - p.at < STALE_MS);
	const sent = sum(fresh, 'sent_packets');
	const medians = fresh.map((p) => p.last.rtt_p50_seconds).filter((v): v is number => typeof v === 'number');
	medians.sort((a, b) => a - b);
	return {
		loss: sent > 0 ? sum(fresh, 'lost_packets') / sent : null,
		median: medians[Math.floor((medians.length - 1) / 2)] ?? null,
		targets: fresh.length,
	};
}

function sum(paths: Path[], column: string): number {
	return paths.reduce((total, p) => total + (typeof p.last[column] === 'number' ? (p.last[column] as number) : 0), 0);
}

// An address that belongs to one of our nodes, by that node's name; IPv6 says so, since a node has both.
export function targetName(target: string): string {
	const owner = fleet.byAddress.get(target);
	return owner ? `${owner.name}${target.includes(':') ? ' v6' : ''}` : target;
}
