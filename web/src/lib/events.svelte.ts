// SPDX-License-Identifier: Apache-2.0
// One event stream for the whole page, whoever listens: browsers allow few connections per host.
// EventSource reconnects by itself and resumes with Last-Event-ID; where it gives up (the hub
// refused: the session or the policy changed) we ask who we are and try again. A tab that nobody
// sees lets go of its stream after a while and resumes when it is shown.

import type { Measurement } from './measure';
import { enter, session } from './session.svelte';
import type { Row, SondeNode } from './types';

export interface StreamHandlers {
	node?: (node: SondeNode) => void;
	hub?: (hub: { problems: string[] }) => void;
	measurement?: (measurement: Measurement) => void;
	rows?: (dataset: string, node: string, rows: Row[]) => void;
	reset?: () => void; // the stream cannot be resumed (the hub restarted): fetch the present state
}

interface Listener {
	topics: string[];
	handlers: StreamHandlers;
}

export const stream = $state({ connected: true });

const OPEN = ['hub', 'nodes']; // for everybody; the other topics need read-all
const RETRY_MS = [1000, 2000, 5000, 10000, 30000];
const HIDDEN_MS = 60000;

const listeners = new Set<Listener>();
let source: EventSource | undefined;
let topics = ''; // of the source
let last = ''; // id of the newest event
let refusals = 0;
let later: ReturnType<typeof setTimeout> | undefined;
let asleep = false;

export const mayFollow = (topic: string) => session.readAll || OPEN.includes(topic);

function dispatch(topic: string, event: MessageEvent<string>) {
	if (event.lastEventId) last = event.lastEventId;
	const data = JSON.parse(event.data);
	for (const { topics: wanted, handlers } of [...listeners]) {
		if (!wanted.includes(topic)) continue;
		if (topic === 'nodes') handlers.node?.(data as SondeNode);
		else if (topic === 'hub') handlers.hub?.(data as { problems: string[] });
		else if (topic === 'measurements') handlers.measurement?.(data as Measurement);
		else handlers.rows?.(data.dataset ?? topic, data.node, data.rows);
	}
}

const resetAll = () => [...listeners].forEach(({ handlers }) => handlers.reset?.());

function refused(from: EventSource) {
	if (from !== source) return;
	from.close();
	source = undefined;
	topics = '';
	clearTimeout(later);
	later = setTimeout(() => void enter().then(refresh), RETRY_MS[Math.min(refusals++, RETRY_MS.length - 1)]);
}

function open(wanted: string) {
	const before = source;
	const resumed = before === undefined && last !== '';
	const query = new URLSearchParams({ topic: wanted, ...(resumed && { last_event_id: last }) });
	const next = new EventSource(`/api/v1/events?${query}`);
	let broken = false;
	let seen = false; // an id, with which EventSource resumes by itself
	next.onopen = () => {
		before?.close(); // until now both deliver; whoever listens takes repeats
		refusals = 0;
		if (next !== source) return;
		if (broken && !seen && !resumed) resetAll();
		if (broken) void enter().then(refresh); // it may have been closed because who we are has changed
		broken = false;
		stream.connected = true;
	};
	next.onerror = () => {
		if (next !== source) return;
		broken = true;
		stream.connected = false;
		before?.close();
		if (next.readyState === EventSource.CLOSED) refused(next);
	};
	next.addEventListener('reset', (event) => {
		last = (event as MessageEvent<string>).lastEventId || last;
		if (next === source) resetAll();
	});
	for (const topic of wanted.split(',')) {
		next.addEventListener(topic, (event) => {
			seen = true;
			dispatch(topic, event as MessageEvent<string>);
		});
	}
	source = next;
	topics = wanted;
}

function close() {
	source?.close();
	source = undefined;
	topics = '';
}

function refresh() {
	clearTimeout(later);
	const all = new Set([...listeners].flatMap((l) => l.topics).filter(mayFollow));
	const wanted = asleep || !session.who ? '' : [...all].sort().join(',');
	if (wanted === topics) return;
	if (wanted === '') close();
	else open(wanted);
}

// What a page drops and the next one takes up again stays open.
function refreshSoon() {
	clearTimeout(later);
	later = setTimeout(refresh, 0);
}

let hidden: ReturnType<typeof setTimeout> | undefined;
document.addEventListener('visibilitychange', () => {
	clearTimeout(hidden);
	if (document.hidden) {
		hidden = setTimeout(() => {
			asleep = true;
			refresh();
		}, HIDDEN_MS);
	} else if (asleep) {
		asleep = false;
		refresh();
	}
});

export function listen(wanted: string[], handlers: StreamHandlers): () => void {
	const listener = { topics: wanted, handlers };
	listeners.add(listener);
	refreshSoon();
	return () => {
		listeners.delete(listener);
		refreshSoon();
	};
}

// For what this session may not follow: ask now and then.
const POLL_MS = 5000;

export function listenOrPoll(wanted: string[], handlers: StreamHandlers & { reset: () => void }): () => void {
	const stop = listen(wanted, handlers);
	const timer = wanted.every(mayFollow) ? undefined : setInterval(handlers.reset, POLL_MS);
	return () => {
		clearInterval(timer);
		stop();
	};
}
