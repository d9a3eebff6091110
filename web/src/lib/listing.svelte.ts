// SPDX-License-Identifier: Apache-2.0
// A list of the hub's as a page shows it: loaded, page after page, and looked at again while it is seen.

import { get, type Problem } from './api';
import type { Page } from './types';

export class Listing<T> {
	items = $state.raw<T[] | undefined>();
	next = $state<string | null>(null);
	problem = $state.raw<Problem | undefined>();

	// The path may depend on state; a change of it loads the list anew.  To be made while a component is.
	constructor(
		private readonly path: () => string,
		refreshMs = 0,
	) {
		$effect(() => {
			void path();
			void this.load();
			if (!refreshMs) return;
			const timer = setInterval(() => void this.load(), refreshMs);
			return () => clearInterval(timer);
		});
	}

	load = async () => {
		const asked = this.path();
		try {
			const page = await get<Page<T>>(asked);
			if (asked !== this.path()) return;
			this.items = page.items;
			this.next = page.next;
			this.problem = undefined;
		} catch (refused) {
			if (asked === this.path()) this.problem = refused as Problem;
		}
	};

	more = async () => {
		const asked = this.path();
		try {
			const page = await get<Page<T>>(`${asked}${asked.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(this.next ?? '')}`);
			if (asked !== this.path()) return;
			this.items = [...(this.items ?? []), ...page.items];
			this.next = page.next;
		} catch (refused) {
			this.problem = refused as Problem;
		}
	};
}
