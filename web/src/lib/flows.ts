// SPDX-License-Identifier: Apache-2.0
// What someone types into the flow search, as filters of the API. Each word narrows; a word that fits
// several columns asks for each (the API has no "or"), and the answers are merged.

import type { Row } from './types';

const PROTOCOLS = ['tcp', 'udp', 'icmp', 'icmp6'];

// What is more likely a class of traffic than a part of a name; sums are made of the first meaning only.
const APPLICATIONS = ['http', 'tls', 'dns', 'quic', 'ssh', 'smtp', 'imap', 'pop3', 'ftp', 'rtp', 'rtcp', 'sip', 'bittorrent', 'ntp', 'encrypted', 'unknown'];

type Filter = Record<string, string>;

// "=" is exactly that; without an operator a part of it is enough.
const condition = (value: string) => (value.startsWith('=') ? value.slice(1) : /^[<>!~]/.test(value) ? value : `~${value}`);

function meanings(word: string): Filter[] {
	const named = /^([a-z_]+):(.+)$/.exec(word);
	if (named) return [{ [named[1]!]: condition(named[2]!) }];
	if (PROTOCOLS.includes(word)) return [{ protocol: word }];
	if (/^\d{1,5}$/.test(word)) return [{ s_port: word }, { c_port: word }];
	if (/^[0-9a-f]*[.:][0-9a-f.:]*$/.test(word)) return [{ c_ip: `~${word}` }, { s_ip: `~${word}` }];
	const of: Filter[] = [{ server_name: `~${word}` }, { application: word }];
	return APPLICATIONS.includes(word) ? of.reverse() : of;
}

// At most four requests: further ambiguity keeps the first meaning.
export function flowFilters(text: string): Filter[] {
	const words = text.trim().toLowerCase().split(/\s+/).filter(Boolean);
	let all: Filter[] = [{}];
	for (const word of words) {
		const options = meanings(word);
		const usable = all.length * options.length <= 4 ? options : options.slice(0, 1);
		all = all.flatMap((filter) => usable.map((option) => ({ ...filter, ...option })));
	}
	return all;
}

export const flowKey = (row: Row) => `${row.node} ${row.seq}`;

export function mergeFlows(lists: Row[][], limit: number): Row[] {
	const seen = new Map<string, Row>();
	for (const row of lists.flat()) seen.set(flowKey(row), row);
	return [...seen.values()].sort((a, b) => String(b.time).localeCompare(String(a.time))).slice(0, limit);
}
