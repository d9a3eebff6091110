// SPDX-License-Identifier: Apache-2.0
// One event stream per page (browsers allow six connections per host), multiplexed by topic.
// EventSource reconnects by itself and resumes with Last-Event-ID.

import type { Measurement } from './measure';
import type { Row, SondeNode } from './types';

export interface StreamHandlers {
	node?: (node: SondeNode) => void;
	measurement?: (measurement: Measurement) => void;
	rows?: (dataset: string, node: string, rows: Row[]) => void;
	state?: (connected: boolean) => void;
	reset?: () => void; // the stream cannot be resumed (the hub restarted): fetch the present state
}

export function listen(topics: string[], filter: Record<string, string>, handlers: StreamHandlers): () => void {
	const query = new URLSearchParams({ topic: topics.join(','), ...filter });
	const source = new EventSource(`/api/v1/events?${query}`);
	source.onopen = () => handlers.state?.(true);
	source.onerror = () => handlers.state?.(false);
	source.addEventListener('reset', () => handlers.reset?.());
	for (const topic of topics) {
		source.addEventListener(topic, (event) => {
			const data = JSON.parse((event as MessageEvent<string>).data);
			if (topic === 'nodes') handlers.node?.(data as SondeNode);
			else if (topic === 'measurements') handlers.measurement?.(data as Measurement);
			else handlers.rows?.(data.dataset ?? topic, data.node, data.rows);
		});
	}
	return () => source.close();
}
