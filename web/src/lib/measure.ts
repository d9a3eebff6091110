// SPDX-License-Identifier: Apache-2.0
// Capabilities and measurements (doc/internals/measurement-plane.md): what a form may take, when,
// and the same as a command.

export interface Parameter {
	name: string;
	type: string;
	constraint?: string | null;
	default?: string | null;
	unit?: string | null;
	required?: boolean;
	help?: string | null;
}

export interface Column {
	name: string;
	type: string;
	unit?: string | null;
	help?: string | null;
}

export interface Provider {
	provider: string;
	name: string;
	state: 'online' | 'offline';
	token?: string;
}

export interface Capability {
	label: string;
	title?: string | null;
	help?: string | null;
	verb: string;
	registry: string;
	when: string;
	method?: string | null;
	dataset: string;
	parameters: Parameter[];
	columns: Column[];
	providers: Provider[];
}

export type MeasurementState = 'waiting' | 'running' | 'done' | 'failed' | 'stopped';

export interface Part {
	provider: string;
	name: string;
	state: MeasurementState;
	started?: string | null;
	ended?: string | null;
	results: number;
	error?: string | null;
}

export interface Measurement {
	id: string;
	name: string;
	capability: string;
	owner: string;
	parameters: Record<string, string | number | boolean | string[]>;
	when: string;
	state: MeasurementState;
	created: string;
	starts: string;
	ends: string | null;
	next?: string | null;
	dataset: string;
	repository?: string | null;
	providers: Partial<Record<MeasurementState, number>>;
	results: number;
	parts?: Part[];
}

export interface Plan {
	providers: (string | { name: string })[];
	when: string;
	runs: number | null;
	ends: string | null;
	targets: string[];
	allowed: boolean;
	reason?: string | null;
}

export const hasEnded = (m: Pick<Measurement, 'state'>) => m.state !== 'waiting' && m.state !== 'running';

// Constraints ------------------------------------------------------------------

export type Choice =
	| { kind: 'any' }
	| { kind: 'one'; value: string }
	| { kind: 'set'; values: string[] }
	| { kind: 'range'; from: string; to: string };

export function choiceOf(constraint: string | null | undefined): Choice {
	const text = (constraint ?? '*').trim();
	if (text === '' || text === '*') return { kind: 'any' };
	const ends = text.split(' ... ');
	if (ends.length === 2) return { kind: 'range', from: ends[0]!, to: ends[1]! };
	const values = text.split(',');
	return values.length > 1 ? { kind: 'set', values } : { kind: 'one', value: text };
}

const DURATION = /^\d+(\.\d+)?(ns|us|ms|s|m|h|d)(\d+(\.\d+)?(ns|us|ms|s|m|h|d))*$/;
const SIZE = /^\d+(\.\d+)?\s?([kMGT]i?B|B)?$/;
const INTEGER = /^\d+$/;
const UNITS: Record<string, number> = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86400 };

export function durationSeconds(text: string): number | null {
	if (!DURATION.test(text)) return null;
	let total = 0;
	for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)/g)) total += Number(amount) * UNITS[unit!]!;
	return total;
}

// Comparable size of a value, where its type has one.
function magnitude(type: string, text: string): number | null {
	if (type === 'duration') return durationSeconds(text);
	if (['count', 'natural', 'real', 'integer', 'number'].includes(type)) return text.trim() !== '' && Number.isFinite(Number(text)) ? Number(text) : null;
	return null;
}

const FORMS: Record<string, { fits: (text: string) => boolean; says: string }> = {
	count: { fits: (t) => INTEGER.test(t), says: 'a whole number' },
	natural: { fits: (t) => INTEGER.test(t), says: 'a whole number' },
	real: { fits: (t) => t.trim() !== '' && Number.isFinite(Number(t)), says: 'a number' },
	duration: { fits: (t) => t === '0' || DURATION.test(t), says: 'a time like 200ms or 1m30s' },
	size: { fits: (t) => SIZE.test(t), says: 'a size like 56 or 10kB' },
	address: { fits: (t) => /^[0-9.]+$/.test(t) || /^[0-9a-fA-F:.]+$/.test(t), says: 'an IP address' },
	url: { fits: (t) => !/\s/.test(t), says: 'an address without blanks' },
};

// What is wrong with a value, in words; '' when nothing is. The hub has the last word.
export function complaint(parameter: Parameter, text: string): string {
	const value = text.trim();
	if (value === '') return parameter.required ? 'must be given' : '';
	const form = FORMS[parameter.type];
	if (form && !form.fits(value)) return `not ${form.says}`;
	const choice = choiceOf(parameter.constraint);
	if (choice.kind !== 'range') return '';
	const [at, from, to] = [value, choice.from, choice.to].map((t) => magnitude(parameter.type, t));
	if (at === null || from === null || to === null || (at! >= from! && at! <= to!)) return '';
	return `allowed: ${choice.from} to ${choice.to}`;
}

// What a form holds, as the parameters of a request.
export function parametersOf(parameters: Parameter[], values: Record<string, string>): Measurement['parameters'] {
	const out: Measurement['parameters'] = {};
	for (const parameter of parameters) {
		const value = (values[parameter.name] ?? '').trim();
		if (value === '') continue;
		if (parameter.type === 'targets') out[parameter.name] = value.split(/[\s,]+/).filter(Boolean);
		else if (parameter.type === 'flag') out[parameter.name] = value === 'true';
		else out[parameter.name] = value;
	}
	return out;
}

// When -------------------------------------------------------------------------

export type Schedule = 'once' | 'period' | 'standing' | 'repeat' | 'own';

export interface When {
	schedule: Schedule;
	every: string; // period
	during: string; // length
	own: string;
}

export function scopeOf(when: When): string {
	switch (when.schedule) {
		case 'once':
			return 'now';
		case 'period':
			return `now + ${when.during} / ${when.every}`;
		case 'standing':
			return `now ... future / ${when.every}`;
		case 'repeat':
			return `repeat now + ${when.during} / ${when.every}`;
		case 'own':
			return when.own.trim();
	}
}

const SCOPE_DURATION = /^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$/;

export function whenComplaint(when: When): string {
	if (when.schedule === 'once') return '';
	if (when.schedule === 'own') return when.own.trim() === '' ? 'must be given' : '';
	if (!SCOPE_DURATION.test(when.every)) return 'the period is days, hours, minutes and seconds, like 10s or 1h30m';
	if (when.schedule !== 'standing' && !SCOPE_DURATION.test(when.during)) return 'the length is days, hours, minutes and seconds, like 5m or 1d';
	return '';
}

// Commands -----------------------------------------------------------------------

export interface Selection {
	nodes: string[];
	tags: string[];
	countries: string[];
	networks: string[];
}

export function bodyOf(capability: string, parameters: Measurement['parameters'], when: string, selection: Selection, name: string) {
	return {
		capability,
		parameters,
		when,
		...(selection.nodes.length && { nodes: selection.nodes }),
		...(selection.tags.length && { tags: selection.tags }),
		...(selection.countries.length && { countries: selection.countries }),
		...(selection.networks.length && { networks: selection.networks }),
		...(name && { name }),
	};
}

const quote = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

export function commandOf(body: ReturnType<typeof bodyOf>, targets?: string): string {
	const words = ['sonde', 'measure', body.capability];
	for (const [name, value] of Object.entries(body.parameters)) {
		if (name === targets && Array.isArray(value)) words.push(...value);
		else words.push(`${name}=${Array.isArray(value) ? value.join(',') : String(value)}`);
	}
	if (body.when !== 'now') words.push('--when', body.when);
	for (const [option, list] of [
		['--node', body.nodes],
		['--tag', body.tags],
		['--country', body.countries],
		['--network', body.networks],
	] as const) {
		if (list) words.push(option, list.join(','));
	}
	if (body.name) words.push('--name', body.name);
	return words.map(quote).join(' ');
}
