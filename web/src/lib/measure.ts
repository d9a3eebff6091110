// SPDX-License-Identifier: Apache-2.0
// Measurements (doc/internals/measurement-plane.md): what was asked for, how far it is, and what
// it would mean to ask.

import { durationSeconds, sizeBytes, textOf, type Capability, type Values } from './capability';

export type MeasurementState = 'waiting' | 'running' | 'done' | 'failed' | 'stopped';
export const STATES: MeasurementState[] = ['failed', 'running', 'waiting', 'stopped', 'done'];

export interface Part {
	provider: string;
	name: string;
	state: MeasurementState;
	started?: string | null;
	ended?: string | null;
	results: number;
	error?: string | null;
}

export interface Selection {
	nodes?: string[];
	tags?: string[];
	countries?: string[];
	networks?: string[];
}

export interface Measurement {
	id: string;
	name: string;
	capability: string;
	owner: string;
	parameters: Values;
	when: string;
	selection: Selection;
	state: MeasurementState;
	created: string;
	starts: string | null;
	ends: string | null;
	next?: string | null;
	dataset: string;
	repository?: string | null;
	providers: Partial<Record<MeasurementState, number>>;
	results: number;
	parts?: Part[];
	part?: Part; // of an event: the one that changed
}

export interface Plan {
	providers: { provider: string; name: string; state: string }[];
	when: string;
	runs: number | null; // of one provider; null: without end, or too many to count
	ends: string | null;
	targets: string[];
	allowed: boolean;
	reason?: string | null;
}

export const hasEnded = (m: Pick<Measurement, 'state'>) => m.state !== 'waiting' && m.state !== 'running';

export const counts = (m: Pick<Measurement, 'providers'>) =>
	STATES.filter((state) => m.providers[state])
		.map((state) => `${m.providers[state]} ${state}`)
		.join(', ');

// The share of its time that has passed; null when it has no end or takes no time.
export function progress(m: Measurement, now: number): number | null {
	if (!m.starts || !m.ends) return null;
	const [from, to] = [Date.parse(m.starts), Date.parse(m.ends)];
	return to > from ? Math.min(1, Math.max(0, (now - from) / (to - from))) : null;
}

// Asking -------------------------------------------------------------------------

export interface Body extends Selection {
	capability: string;
	parameters: Values;
	when: string;
	name?: string;
}

export function bodyOf(capability: string, parameters: Values, when: string, selection: Required<Selection>, name: string): Body {
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

// What it costs, where the declaration tells: probes of one run to one target.
export interface Cost {
	runs: number | null; // of all providers together
	packets: number | null; // in all; null: without end, or not known
	perTarget: number | null; // packets per second that one target gets while it runs
	bytes: number | null; // of all packets, with headers
}

const HEADERS = 28; // IPv4 and ICMP

export function costOf(capability: Capability, parameters: Values, plan: Plan): Cost {
	const given = (name: string) => {
		const declared = capability.parameters.find((p) => p.name === name);
		const value = parameters[name] ?? declared?.default;
		return declared && value !== undefined && value !== null ? textOf(value) : null;
	};
	const [count, interval, size] = [Number(given('count') ?? NaN), durationSeconds(given('interval') ?? ''), sizeBytes(given('size') ?? '')];
	const probes = Number.isFinite(count) && interval !== null && plan.targets.length > 0;
	const runs = plan.runs === null ? null : plan.runs * plan.providers.length;
	const packets = probes && runs !== null ? runs * plan.targets.length * count : null;
	return {
		runs,
		packets,
		perTarget: probes && interval ? plan.providers.length / interval : null,
		bytes: packets !== null && size !== null ? packets * (size + HEADERS) : null,
	};
}

// A refusal of the hub names what it is about: "parameter 'count': ...", "nodes: ...".
export function subjectOf(detail: string): { parameter?: string; member?: string; reason: string } {
	const parameter = /^parameter '([^']+)':?\s*/.exec(detail);
	if (parameter) return { parameter: parameter[1]!, reason: detail.slice(parameter[0].length) };
	const member = /^(nodes|tags|countries|networks|when|name):\s*/.exec(detail);
	return member ? { member: member[1]!, reason: detail.slice(member[0].length) } : { reason: detail };
}
