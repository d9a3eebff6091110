// SPDX-License-Identifier: Apache-2.0
// A file in parts, each of which the hub has on its disk before the next is sent.  A part that got lost on the way
// is sent again from where the hub says it stands.

import { get, Problem, request } from './api';
import { digestOf } from './data';

export const UPLOAD_MAX = 250_000_000; // the digest needs the whole file in memory
const PART = 4 * 1024 * 1024;
const TRIES = 5;

interface Upload {
	id: string;
	offset: number;
}

async function send(path: string, offset: number, part: Blob): Promise<void> {
	const answer = await fetch(`/api/v1${path}`, {
		method: 'PATCH',
		headers: { 'Sonde-Request': '1', 'Content-Type': 'application/offset+octet-stream', 'Upload-Offset': String(offset) },
		body: part,
	}).catch(() => undefined);
	if (answer?.ok) return;
	const said = await answer?.json().catch(() => undefined);
	throw new Problem(answer?.status ?? 0, said?.code ?? 'unreachable', said?.detail ?? 'the hub does not answer; is it running?');
}

// Resolves with the id of the upload.
export async function upload(file: File, progress: (done: number) => void): Promise<string> {
	if (file.size > UPLOAD_MAX) throw new Error(`${file.name} is too large for a browser; use the command line: sonde import ${file.name}`);
	const sha256 = await digestOf(await file.arrayBuffer());
	const begun = await request<Upload>('POST', '/uploads', { name: file.name, bytes: file.size, sha256, kind: 'import' });
	const path = `/uploads/${begun.id}`;
	let offset = begun.offset;
	let failed = 0;
	while (offset < file.size) {
		try {
			await send(path, offset, file.slice(offset, offset + PART));
			offset = Math.min(offset + PART, file.size);
			failed = 0;
		} catch (problem) {
			const passes = problem instanceof Problem && (problem.status === 0 || problem.status === 409 || problem.status >= 500);
			if (!passes || ++failed >= TRIES) throw problem;
			await new Promise((resolve) => setTimeout(resolve, 500 * failed));
			offset = (await get<Upload>(path).catch(() => ({ offset }))).offset;
		}
		progress(offset);
	}
	return begun.id;
}
