// SPDX-License-Identifier: Apache-2.0
// Capabilities (doc/internals/measurement-plane.md): what can be asked for, of whom, and which
// values a form may take.

export interface Parameter {
	name: string;
	type: string; // text, flag, count, duration, size, targets; of peers the primitive's name
	constraint?: string | null; // null: each provider has its own
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
	provider: string; // node:<id> or peer:<identity>
	name: string;
	state: 'online' | 'offline';
	token?: string;
}

export interface Capability {
	label: string;
	title?: string | null;
	help?: string | null;
	verb: string;
	registry: string | null;
	when: string;
	method?: string | null;
	dataset: string;
	parameters: Parameter[];
	columns: Column[];
	metadata?: Record<string, string>;
	providers: Provider[];
}

export type Value = string | number | boolean | (string | number | boolean)[];
export type Values = Record<string, Value>;

// Kinds --------------------------------------------------------------------------

export const KINDS = [
	{ kind: 'node', title: 'Methods of nodes', about: 'measured by Sonde nodes' },
	{ kind: 'view', title: 'The same under mPlane names', about: 'names of the core registry, as other mPlane clients know them' },
	{ kind: 'peer', title: 'mPlane peers', about: 'measured by components and supervisors of others' },
] as const;
export type Kind = (typeof KINDS)[number]['kind'];

export const kindOf = (c: Pick<Capability, 'label' | 'method'>): Kind => (!c.method ? 'peer' : c.method === c.label ? 'node' : 'view');

// Names as people count: node-2 before node-10.
const collator = new Intl.Collator('en', { numeric: true });
export const compare = (a: string, b: string) => collator.compare(a, b);
export const byName = (a: { name: string }, b: { name: string }) => compare(a.name, b.name);

export const online = (c: Capability) => c.providers.filter((p) => p.state === 'online').length;

// Every word must be found somewhere in what is declared.
export function matches(c: Capability, text: string): boolean {
	const declared = [c.label, c.title, c.help, c.dataset, ...c.parameters.map((p) => p.name), ...c.columns.map((k) => k.name), ...c.providers.map((p) => p.name)];
	const all = declared.join(' ').toLowerCase();
	return text.toLowerCase().split(/\s+/).every((word) => all.includes(word));
}

// Fields in three groups: what must be given, what is declared first (and so matters most), the rest.
const COMMON = 4;

export function groupsOf(parameters: Parameter[]): { required: Parameter[]; common: Parameter[]; rest: Parameter[] } {
	const required = parameters.filter((p) => p.required);
	const optional = parameters.filter((p) => !p.required);
	const settled = (p: Parameter) => p.constraint === null || choiceOf(p.constraint, p.type).kind === 'one';
	const open = optional.filter((p) => !settled(p));
	const common = open.length <= COMMON + 1 ? open : open.slice(0, COMMON);
	return { required, common, rest: optional.filter((p) => !common.includes(p)) };
}

// Constraints ----------------------------------------------------------------------

export type Choice =
	| { kind: 'any' }
	| { kind: 'one'; value: string }
	| { kind: 'set'; values: string[] }
	| { kind: 'range'; from: string; to: string }
	| { kind: 'network'; network: string };

export function choiceOf(constraint: string | null | undefined, type = ''): Choice {
	const text = (constraint ?? '*').trim();
	if (text === '' || text === '*') return { kind: 'any' };
	const ends = text.split(' ... ');
	if (ends.length === 2) return { kind: 'range', from: ends[0]!, to: ends[1]! };
	if (type === 'address' && text.includes('/')) return { kind: 'network', network: text };
	const values = text.split(',');
	return values.length > 1 ? { kind: 'set', values } : { kind: 'one', value: text };
}

const UNITS: Record<string, number> = { ns: 1e-9, us: 1e-6, ms: 1e-3, s: 1, m: 60, h: 3600, d: 86400 };
const DURATION = /^\d+(\.\d+)?(ns|us|ms|s|m|h|d)(\d+(\.\d+)?(ns|us|ms|s|m|h|d))*$/;
const SIZES: Record<string, number> = { '': 1, B: 1, kB: 1e3, MB: 1e6, GB: 1e9, TB: 1e12, KiB: 1024, kiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 };
const SIZE = /^(\d+(?:\.\d+)?)\s?([kKMGT]i?B|B)?$/;

export function durationSeconds(text: string): number | null {
	if (!DURATION.test(text)) return null;
	let total = 0;
	for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|ms|s|m|h|d)/g)) total += Number(amount) * UNITS[unit!]!;
	return total;
}

export function sizeBytes(text: string): number | null {
	const found = SIZE.exec(text);
	const unit = SIZES[found?.[2] ?? ''];
	return found && unit ? Number(found[1]) * unit : null;
}

const isNumber = (text: string) => text.trim() !== '' && Number.isFinite(Number(text));
const isAddress4 = (text: string) => /^(\d{1,3}\.){3}\d{1,3}$/.test(text) && text.split('.').every((part) => Number(part) <= 255);
const isAddress = (text: string) => isAddress4(text) || (text.includes(':') && /^[0-9a-fA-F:.]+(%\w+)?$/.test(text));

// Comparable size of a value, where its type has one.
function magnitude(type: string, text: string): number | null {
	if (type === 'duration') return text === '0' ? 0 : durationSeconds(text);
	if (type === 'size') return sizeBytes(text);
	if (type === 'count' || type === 'natural' || type === 'real') return isNumber(text) ? Number(text) : null;
	if (type === 'time') return Date.parse(text);
	return null;
}

const FORMS: Record<string, { fits: (text: string) => boolean; says: string }> = {
	count: { fits: (t) => /^\d+$/.test(t), says: 'a whole number' },
	natural: { fits: (t) => /^\d+$/.test(t), says: 'a whole number' },
	real: { fits: isNumber, says: 'a number' },
	duration: { fits: (t) => t === '0' || DURATION.test(t), says: 'a time like 200ms or 1m30s' },
	size: { fits: (t) => sizeBytes(t) !== null, says: 'a size like 56 or 10kB' },
	address: { fits: isAddress, says: 'an IP address' },
	time: { fits: (t) => ['now', 'past', 'future'].includes(t) || !Number.isNaN(Date.parse(t)), says: 'a time like 2026-01-31 08:00:00 (UTC)' },
	url: { fits: (t) => /^\w[\w+.-]*:\S+$/.test(t), says: 'an address like https://host.example/' },
};

// What stands in the way of an address that is asked for by its family.
function family(parameter: Parameter, value: string): string {
	if (parameter.type !== 'address') return '';
	if (/\.ip4$/.test(parameter.name) && value.includes(':')) return 'not an IPv4 address';
	return /\.ip6$/.test(parameter.name) && !value.includes(':') ? 'not an IPv6 address' : '';
}

// What is wrong with a value, in words; '' when nothing is. The hub has the last word.
export function complaint(parameter: Parameter, text: string): string {
	const value = text.trim();
	if (value === '') return parameter.required ? 'must be given' : '';
	const form = FORMS[parameter.type];
	if (form && !form.fits(value)) return `not ${form.says}`;
	const choice = choiceOf(parameter.constraint, parameter.type);
	if (choice.kind === 'set' && !choice.values.includes(value)) return `one of ${choice.values.join(', ')}`;
	if (choice.kind !== 'range') return family(parameter, value);
	const [at, from, to] = [value, choice.from, choice.to].map((t) => magnitude(parameter.type, t));
	if (!Number.isFinite(at) || !Number.isFinite(from) || !Number.isFinite(to) || (at! >= from! && at! <= to!)) return '';
	return `allowed: ${choice.from} to ${choice.to}`;
}

export const listOf = (text: string) => text.split(/[\s,]+/).filter(Boolean);

// What a form holds, as the parameters of a request, and back.
export function parametersOf(parameters: Parameter[], texts: Record<string, string>): Values {
	const out: Values = {};
	for (const parameter of parameters) {
		const value = (texts[parameter.name] ?? '').trim();
		if (value === '') continue;
		if (parameter.type === 'targets') out[parameter.name] = listOf(value);
		else if (parameter.type === 'flag') out[parameter.name] = value === 'true';
		else out[parameter.name] = value;
	}
	return out;
}

export const textOf = (value: Value) => (Array.isArray(value) ? value.join(' ') : String(value));
