// SPDX-License-Identifier: Apache-2.0
// The time range that all charts of a page share: "-15m" follows the clock, "a..b" stands still.

export const RANGES = [
	{ key: '-5m', label: '5 min', seconds: 300 },
	{ key: '-15m', label: '15 min', seconds: 900 },
	{ key: '-1h', label: '1 h', seconds: 3600 },
	{ key: '-6h', label: '6 h', seconds: 21600 },
	{ key: '-24h', label: '24 h', seconds: 86400 },
	{ key: '-168h', label: '7 d', seconds: 604800 },
] as const;

export interface Range {
	key: string;
	live: boolean;
	seconds: number;
	from?: number; // Unix seconds, when it stands still
	to?: number;
}

export function parseRange(text: string | null): Range {
	const known = RANGES.find((r) => r.key === text);
	if (known) return { key: known.key, live: true, seconds: known.seconds };
	const fixed = /^(\d+)\.\.(\d+)$/.exec(text ?? '');
	if (fixed && Number(fixed[2]) > Number(fixed[1])) {
		const [from, to] = [Number(fixed[1]), Number(fixed[2])];
		return { key: fixed[0], live: false, seconds: to - from, from, to };
	}
	return { key: '-5m', live: true, seconds: 300 };
}

export function bounds(range: Range, now: number): { since: string; until?: string } {
	if (range.live) return { since: new Date((now / 1000 - range.seconds) * 1000).toISOString() };
	return { since: new Date(range.from! * 1000).toISOString(), until: new Date(range.to! * 1000).toISOString() };
}

// For commands and links: a live range goes on following the clock.
export const stretchOf = (range: Range): { since: string; until?: string } => (range.live ? { since: range.key } : bounds(range, 0));
