// SPDX-License-Identifier: Apache-2.0
// What the Traffic page asks the hub, and what it draws of the answers.

import type uPlot from 'uplot';

import type { Line } from './lines';

export interface Group {
	value: string | number | boolean | null;
	rows: number;
	weight: number;
	sums: Record<string, number>;
	bins?: number[];
}

export interface Groups {
	by: string;
	weights: string[];
	bin_seconds?: number;
	time?: number[]; // Unix seconds at which the bins begin
	groups: Group[];
	others: Omit<Group, 'value'> & { values: number };
	total: Omit<Group, 'value'>;
}

export interface Quantiles {
	bin_seconds: number;
	time: number[];
	percents: number[];
	columns: Record<string, { rows: number[]; values: (number | null)[][] }>;
}

export const BYTES = 'c_bytes,s_bytes';

// Columns that make groups, as people call them. `filter` is what a click narrows the page to.
export const GROUPINGS = [
	{ by: 'application', title: 'Applications' },
	{ by: 'server_name', title: 'Names' },
	{ by: 'c_ip', title: 'Clients' },
	{ by: 's_ip', title: 'Servers' },
	{ by: 's_port', title: 'Ports' },
	{ by: 'protocol', title: 'Protocols' },
	{ by: 's_country', title: 'Countries' },
] as const;

// Distributions over time.
export const SPREADS = [
	{ column: 's_rtt_avg_seconds', title: 'Round trip to servers', help: 'from the meter to the server and back, mean of each TCP flow' },
	{ column: 'c_rtt_avg_seconds', title: 'Round trip to clients', help: 'from the meter to the client and back, mean of each TCP flow' },
	{ column: 'handshake_rtt_seconds', title: 'Handshake', help: 'from the SYN to the ACK that ends the handshake' },
	{ column: 'retransmitted_ratio', title: 'Retransmissions', help: 'segments of a TCP flow that were sent again, both ways' },
	{ column: 'duration_seconds', title: 'Duration of flows', help: 'first to last packet' },
] as const;

export const nameOfGroup = (value: Group['value']): string => (value === null || value === '' ? 'unknown' : String(value));

export interface Band {
	name: string;
	others: boolean;
	rate: number[]; // bit/s in each bin
	bytes: number;
}

// The weightiest groups and all others, the largest first (it is drawn lowest).
export function bandsOf(answer: Groups): Band[] {
	const seconds = answer.bin_seconds ?? 1;
	const rate = (bins: number[] | undefined) => (bins ?? []).map((bytes) => (bytes * 8) / seconds);
	const bands = answer.groups.map((g) => ({ name: nameOfGroup(g.value), others: false, rate: rate(g.bins), bytes: g.weight }));
	if (answer.others.rows > 0) bands.push({ name: `${answer.others.values} others`, others: true, rate: rate(answer.others.bins), bytes: answer.others.weight });
	return bands;
}

// uPlot draws areas down to zero: the sums from the lowest band up, the highest first.
export function stack(bands: Band[], time: number[]): uPlot.AlignedData {
	const sums: number[][] = [];
	bands.forEach((band, i) => sums.push(band.rate.map((value, t) => value + (sums[i - 1]?.[t] ?? 0))));
	return [time, ...sums.reverse()] as uPlot.AlignedData;
}

export function linesOf(answer: Quantiles, column: string): Line[] {
	const of = answer.columns[column];
	if (!of) return [];
	return answer.percents.map((percent, i) => ({ node: '', key: `${percent}`, time: answer.time, values: of.values[i]! }));
}

// "50" is "half of the flows", the others "90 % of them".
export const nameOfPercent = (percent: string): string => (percent === '50' ? 'median' : percent === '100' ? 'maximum' : `${percent} %`);
