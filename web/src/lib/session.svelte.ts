// SPDX-License-Identifier: Apache-2.0
// Who is at the screen and what the policy lets them do, so that nothing else is offered.

import { get, Problem, request } from './api';

export type Role = 'viewer' | 'operator' | 'admin';
export const ROLES: Role[] = ['viewer', 'operator', 'admin'];

export interface Session {
	user: string;
	role: Role;
	admin: boolean;
	by: string;
	expires: string | null;
	password: boolean;
}

export interface Question {
	identity?: string;
	action: string;
	capability?: string;
	nodes?: string[];
	targets?: string[];
	when?: string;
}

export interface Verdict {
	allowed: boolean;
	action: string;
	line: number | null;
	nearest: number | null; // line of the rule that comes nearest
	reason: string;
	identities: string[];
	roles: string;
}

export const session = $state({
	who: undefined as Session | null | undefined, // undefined: not known yet; null: nobody
	measure: false, // is there any rule by which they may ask for a measurement?
	readAll: false, // rows of whole datasets and the event stream
	trouble: '',
});

export const explain = (question: Question) => request<Verdict>('POST', '/policy/explain', question);

// Without a capability only rules for all of them allow; one for some is at least the nearest.
const mayAtAll = (verdict: Verdict) => verdict.allowed || verdict.nearest !== null;

export async function enter() {
	try {
		const who = await get<Session>('/session');
		const [measure, readAll] = await Promise.all([explain({ action: 'measure' }), explain({ action: 'read-all' })]);
		session.measure = mayAtAll(measure);
		session.readAll = readAll.allowed;
		session.who = who;
		session.trouble = '';
	} catch (problem) {
		if (problem instanceof Problem && problem.status === 401) session.who = null;
		else session.trouble = (problem as Error).message;
	}
}
