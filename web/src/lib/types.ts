// SPDX-License-Identifier: Apache-2.0
// What the hub's API speaks (doc/internals/api.md).

export type NodeState = 'online' | 'offline' | 'revoked';

export interface NodeNow {
	loss_ratio: number | null;
	rtt_p50_seconds: number | null;
	targets: number;
}

export interface SondeNode {
	id: string;
	name: string;
	state: NodeState;
	last_seen: string | null;
	enrolled: string;
	version?: string;
	latitude?: number | null;
	longitude?: number | null;
	place?: string | null;
	tags?: string[];
	country?: string | null;
	asn?: string | null;
	interfaces?: { name: string; addresses: string[]; up: boolean }[];
	methods?: string[];
	spool?: { batches: number; bytes: number; dropped_rows: number };
	problems?: string[];
	certificate_expires?: string;
	now?: NodeNow;
}

export type Row = Record<string, string | number | boolean | null | undefined>;

export interface Series {
	time: number[]; // Unix seconds
	columns: Record<string, (number | null)[]>;
}

export interface Page<T> {
	items: T[];
	next: string | null;
}

export interface Hub {
	version: string;
	id: string;
	started: string;
	urls: string[];
	nodes: { online: number; offline: number };
	problems?: string[];
	rows_stored: number;
}
