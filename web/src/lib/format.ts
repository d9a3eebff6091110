// SPDX-License-Identifier: Apache-2.0
// Numbers as people read them. No value is an en dash, never a zero.

const NONE = '–';

export function seconds(value: number | null | undefined): string {
	if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
	if (value === 0) return '0 s';
	const ms = value * 1000;
	if (ms >= 10000) return `${value.toFixed(1)} s`;
	if (ms >= 1000) return `${value.toFixed(2)} s`;
	if (ms >= 100) return `${ms.toFixed(0)} ms`;
	if (ms >= 10) return `${ms.toFixed(1)} ms`;
	if (ms >= 0.1) return `${ms.toFixed(2)} ms`;
	return `${(ms * 1000).toFixed(0)} µs`;
}

export function ratio(value: number | null | undefined): string {
	if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
	if (value === 0) return '0 %';
	const percent = value * 100;
	return percent < 0.1 ? '< 0.1 %' : `${percent.toFixed(percent < 10 ? 1 : 0)} %`;
}

export function bytes(value: number | null | undefined): string {
	if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
	const units = ['B', 'kB', 'MB', 'GB', 'TB'];
	let amount = value;
	let unit = 0;
	while (amount >= 1000 && unit < units.length - 1) {
		amount /= 1000;
		unit++;
	}
	return `${unit === 0 ? amount : amount.toFixed(amount < 10 ? 2 : amount < 100 ? 1 : 0)} ${units[unit]}`;
}

export function count(value: number | null | undefined): string {
	return value === null || value === undefined ? NONE : value.toLocaleString('en-US').replaceAll(',', ' ');
}

const AGO_DAYS_MAX = 60; // a date says more about what is older

export function ago(iso: string | null | undefined, now: number): string {
	if (!iso) return 'never';
	const s = Math.max(0, (now - Date.parse(iso)) / 1000);
	if (s < 2) return 'now';
	if (s < 60) return `${Math.floor(s)} s ago`;
	if (s < 3600) return `${Math.floor(s / 60)} min ago`;
	if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
	if (s < 86400 * AGO_DAYS_MAX) return `${Math.floor(s / 86400)} d ago`;
	return day(iso);
}

const two = (n: number) => String(n).padStart(2, '0');

// Times are shown in the zone of the browser, which the head of each page names.
export function zone(): { name: string; offset: string } {
	const minutes = -new Date().getTimezoneOffset();
	const rest = Math.abs(minutes) % 60;
	const hours = Math.floor(Math.abs(minutes) / 60);
	return { name: Intl.DateTimeFormat().resolvedOptions().timeZone, offset: minutes === 0 ? 'UTC' : `UTC${minutes < 0 ? '−' : '+'}${hours}${rest ? `:${two(rest)}` : ''}` };
}

export function clock(iso: string | number | null | undefined): string {
	if (iso === null || iso === undefined) return NONE;
	const date = new Date(iso);
	return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

export type Mood = 'good' | 'warn' | 'bad' | 'unknown';

// The same thresholds wherever loss is coloured: list, map, chart marks.
export function lossMood(value: number | null | undefined): Mood {
	if (value === null || value === undefined) return 'unknown';
	if (value < 0.005) return 'good';
	return value < 0.05 ? 'warn' : 'bad';
}

// A moment in local time, in an order that sorts.
export function dateTime(iso: string | number | null | undefined): string {
	if (iso === null || iso === undefined) return NONE;
	return `${day(iso)} ${clock(iso)}`;
}

function day(iso: string | number): string {
	const date = new Date(iso);
	return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

// Ago or ahead.
export function relative(iso: string | null | undefined, now: number): string {
	if (!iso) return NONE;
	const ahead = Date.parse(iso) - now;
	if (ahead >= 86400000 * AGO_DAYS_MAX) return day(iso);
	return ahead > 1500 ? ago(new Date(now).toISOString(), now + ahead).replace(/^(.*) ago$/, 'in $1') : ago(iso, now);
}

const SECONDS: Record<string, number> = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1 };
const PREFIXES = ['', 'k', 'M', 'G', 'T'];

function rate(value: number, unit: string): string {
	let at = { bps: 0, kbps: 1, Mbps: 2 }[unit] ?? 0;
	let amount = value;
	while (amount >= 1000 && at < PREFIXES.length - 1) {
		amount /= 1000;
		at++;
	}
	return `${amount >= 1000 ? amount.toFixed(0) : Number(amount.toPrecision(3))} ${PREFIXES[at]}bit/s`;
}

// A value of a column with its unit (which is a part of the name where it is a ratio).
export function quantity(value: number | null | undefined, unit: string | null | undefined, name = ''): string {
	if (value === null || value === undefined || !Number.isFinite(value)) return NONE;
	if (unit && unit in SECONDS) return seconds(value * SECONDS[unit]!);
	if (unit === 'B') return bytes(value);
	if (unit && /^[kM]?bps$/.test(unit)) return rate(value, unit);
	if (name.endsWith('_ratio')) return ratio(value);
	if (/(^|_)(port|asn|id)$/.test(name)) return String(value);
	const number = Number.isInteger(value) ? count(value) : String(Number(value.toPrecision(5)));
	return unit && unit !== '1' && unit !== 'packets' ? `${number} ${unit}` : number;
}

// Values carry their unit, so that the name above them need not.
export const columnTitle = (name: string) => name.replace(/_(seconds|ratio)$/, '').replaceAll('_', ' ');
