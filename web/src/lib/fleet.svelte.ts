// SPDX-License-Identifier: Apache-2.0
// The nodes, and the last ping of each node to each target: loaded once, then kept by the stream.

import { get, Problem, query } from './api';
import { listen } from './events.svelte';
import { session } from './session.svelte';
import type { Page, Row, SondeNode } from './types';

const TREND = 30; // points of each sparkline

export interface Path {
	node: string;
	target: string;
	last: Row;
	trend: (number | null)[];
}

export const fleet = $state({
	nodes: [] as SondeNode[],
	paths: {} as Record<string, Path>,
	loaded: false,
	problem: undefined as Problem | undefined,
	now: Date.now(),
});

const key = (node: string, target: string) => `${node}\n${target}`;

function setNode(node: SondeNode) {
	const at = fleet.nodes.findIndex((n) => n.id === node.id);
	if (at >= 0) fleet.nodes[at] = { ...fleet.nodes[at], ...node };
	else fleet.nodes.push(node);
}

function setPath(node: string, row: Row) {
	const target = String(row.target);
	const median = typeof row.rtt_p50_seconds === 'number' ? row.rtt_p50_seconds : null;
	const path = fleet.paths[key(node, target)];
	if (!path) {
		fleet.paths[key(node, target)] = { node, target, last: row, trend: [median] };
	} else if (String(row.time) > String(path.last.time)) {
		path.last = row;
		path.trend = [...path.trend.slice(1 - TREND), median];
	}
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
		for (const row of (await get<Page<Row>>('/datasets/ping/latest')).items) setPath(String(row.node), row);
	} catch {
		// "no value" is what the views say
	}
}

export function follow(): () => void {
	const load = () => void loadNodes();
	load();
	const tick = setInterval(() => (fleet.now = Date.now()), 1000);
	const stop = listen(['nodes'], { node: setNode, reset: load });
	return () => {
		clearInterval(tick);
		stop();
	};
}

// For views that show paths: rows of many nodes are much, and not for every page.
export function followPaths(): () => void {
	const load = () => void loadPaths();
	load();
	return listen(['ping'], { rows: (_, node, rows) => rows.forEach((row) => setPath(node, row)), reset: load });
}

// Rows name a node of ours by its id, and a peer by "peer:" and its identity.
export const nodeName = (id: string) => fleet.nodes.find((n) => n.id === id)?.name ?? id.replace(/^peer:/, '');

export const pathsOf = (node: string) =>
	Object.values(fleet.paths)
		.filter((p) => p.node === node)
		.sort((a, b) => a.target.localeCompare(b.target, 'en', { numeric: true }));

// A path whose last row is older than this says nothing about now.
const STALE_MS = 60000;

export function nodeNow(node: string): { loss: number | null; median: number | null; targets: number } {
	const fresh = pathsOf(node).filter((p) => fleet.now - Date.parse(String(p.last.time)) < STALE_MS);
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
	const owner = fleet.nodes.find((n) => n.interfaces?.some((i) => i.addresses.includes(target)));
	return owner ? `${owner.name}${target.includes(':') ? ' v6' : ''}` : target;
}
