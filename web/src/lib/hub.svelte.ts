// SPDX-License-Identifier: Apache-2.0
// The hub itself: what is wrong with it, for those who can mend it.

import { get } from './api';
import { listen } from './events.svelte';
import type { Hub } from './types';

export const hub = $state({ now: undefined as Hub | undefined, problems: [] as string[] });

async function load() {
	try {
		hub.now = await get<Hub>('/hub');
		hub.problems = hub.now.problems ?? [];
	} catch {
		// the page says by itself that the hub does not answer
	}
}

export function followHub(): () => void {
	void load();
	return listen(['hub'], { hub: ({ problems }) => (hub.problems = problems), reset: () => void load() });
}
