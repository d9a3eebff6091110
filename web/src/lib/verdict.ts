// SPDX-License-Identifier: Apache-2.0
// Is something wrong, where: what the overview says first. Pure, so that it can be tested.

import type { Mood } from './format';
import { lossMood, ratio } from './format';
import type { Row, SondeNode } from './types';

export interface Verdict {
	mood: Mood;
	text: string;
	href?: string;
	since?: string;
	loss?: number; // what orders findings of one mood
}

interface PathLike {
	node: string;
	target: string;
	last: Row;
	at: number; // Unix time in ms
}

const STALE_MS = 60000;

export function verdicts(nodes: SondeNode[], paths: PathLike[], now: number, targetName: (target: string) => string = String): Verdict[] {
	const names = new Map(nodes.map((n) => [n.id, n.name]));
	const name = (id: string) => names.get(id) ?? id;
	const found: Verdict[] = [];
	for (const node of nodes) {
		if (node.state === 'offline') {
			found.push({ mood: 'bad', text: `${node.name} is offline`, href: `/nodes/${node.id}`, since: node.last_seen ?? undefined });
		}
		for (const problem of node.problems ?? []) found.push({ mood: 'warn', text: `${node.name}: ${problem}`, href: `/nodes/${node.id}` });
	}
	for (const path of paths) {
		if (now - path.at > STALE_MS) continue;
		const loss = typeof path.last.loss_ratio === 'number' ? path.last.loss_ratio : null;
		const href = `/nodes/${path.node}?target=${encodeURIComponent(path.target)}`;
		if (path.last.status === 'failed' && loss === null) {
			found.push({ mood: 'bad', text: `${name(path.node)} cannot ping ${targetName(path.target)}: ${path.last.error ?? 'no reason given'}`, href });
		} else if (lossMood(loss) === 'bad' || lossMood(loss) === 'warn') {
			found.push({ mood: lossMood(loss), text: `${name(path.node)} loses ${ratio(loss)} to ${targetName(path.target)}`, href, since: String(path.last.time), loss: loss ?? 0 });
		}
	}
	const weight: Record<Mood, number> = { bad: 0, warn: 1, unknown: 2, good: 3 };
	return found.sort((a, b) => weight[a.mood] - weight[b.mood] || (b.loss ?? 2) - (a.loss ?? 2) || a.text.localeCompare(b.text));
}
