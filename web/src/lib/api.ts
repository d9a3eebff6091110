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

async function call(method: string, path: string, body: unknown, headers: Record<string, string>): Promise<Response> {
	let answer: Response;
	try {
		answer = await fetch(`/api/v1${path}`, {
			method,
			headers: { 'Sonde-Request': '1', ...(body === undefined ? {} : { 'Content-Type': 'application/json' }), ...headers },
			body: body === undefined ? undefined : JSON.stringify(body),
		});
	} catch {
		throw new Problem(0, 'unreachable', 'the hub does not answer; is it running?');
	}
	if (!answer.ok) throw await problemOf(answer);
	return answer;
}

export async function request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
	const answer = await call(method, path, body, headers);
	return (answer.status === 204 ? undefined : await answer.json()) as T;
}

// The form of rows is chosen by a header, which a link cannot send.
export async function download(path: string, type: string, name: string) {
	const blob = await (await call('GET', path, undefined, { Accept: type })).blob();
	const link = document.createElement('a');
	link.href = URL.createObjectURL(blob);
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

export const get = <T>(path: string) => request<T>('GET', path);

export function query(values: Record<string, string | number | null | undefined>): string {
	const pairs = Object.entries(values).filter(([, v]) => v !== null && v !== undefined && v !== '');
	return pairs.length ? '?' + new URLSearchParams(pairs.map(([k, v]) => [k, String(v)])).toString() : '';
}
