// SPDX-License-Identifier: Apache-2.0
// Requests to the hub. Every failure becomes a Problem that says what happened and what to do.

export class Problem extends Error {
	constructor(
		readonly status: number,
		readonly code: string,
		message: string,
	) {
		super(message);
	}
}

async function problemOf(answer: Response): Promise<Problem> {
	try {
		const body = await answer.json();
		return new Problem(answer.status, body.code ?? 'unknown', body.detail ?? body.title ?? answer.statusText);
	} catch {
		return new Problem(answer.status, 'unknown', `the hub answered ${answer.status} ${answer.statusText}`);
	}
}

export async function request<T>(method: string, path: string, body?: unknown): Promise<T> {
	let answer: Response;
	try {
		answer = await fetch(`/api/v1${path}`, {
			method,
			headers: { 'Sonde-Request': '1', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }) },
			body: body === undefined ? undefined : JSON.stringify(body),
		});
	} catch {
		throw new Problem(0, 'unreachable', 'the hub does not answer; is it running?');
	}
	if (!answer.ok) throw await problemOf(answer);
	return (answer.status === 204 ? undefined : await answer.json()) as T;
}

export const get = <T>(path: string) => request<T>('GET', path);

export function query(values: Record<string, string | number | null | undefined>): string {
	const pairs = Object.entries(values).filter(([, v]) => v !== null && v !== undefined && v !== '');
	return pairs.length ? '?' + new URLSearchParams(pairs.map(([k, v]) => [k, String(v)])).toString() : '';
}
