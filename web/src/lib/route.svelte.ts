// SPDX-License-Identifier: Apache-2.0
// The address holds the whole state of a view: every view has a permalink.

import { query } from './api';

interface Route {
	path: string;
	params: URLSearchParams;
}

const read = (): Route => ({ path: location.pathname, params: new URLSearchParams(location.search) });

export const route = $state<{ now: Route }>({ now: read() });

addEventListener('popstate', () => (route.now = read()));

export function go(path: string) {
	history.pushState(null, '', path);
	const left = route.now.path;
	route.now = read();
	scrollTo(0, 0);
	// Another page begins at its beginning, for the keyboard and for screen readers, too.
	if (route.now.path !== left) document.getElementById('main')?.focus({ preventScroll: true });
}

// Change parameters in place: null removes one. No new history entry, so that Back leaves the page.
export function setParams(changes: Record<string, string | null>) {
	const values = Object.fromEntries(route.now.params);
	for (const [name, value] of Object.entries(changes)) {
		if (value === null) delete values[name];
		else values[name] = value;
	}
	history.replaceState(null, '', route.now.path + query(values));
	route.now = read();
}

// For <a href> inside the application: plain clicks stay in the page.
export function onLinkClick(event: MouseEvent) {
	const link = (event.target as Element).closest?.('a');
	if (!link || link.origin !== location.origin || link.target || link.hasAttribute('download')) return;
	if (event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
	if (/^\/(api|dumps|problems)\/|^\/(metrics|problems)$/.test(link.pathname)) return;
	event.preventDefault();
	go(link.pathname + link.search);
}
