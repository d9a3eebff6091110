// SPDX-License-Identifier: Apache-2.0
// Light, dark, or as the system says; remembered in this browser.

type Choice = 'auto' | 'light' | 'dark';
const ORDER: Choice[] = ['auto', 'light', 'dark'];
const system = matchMedia('(prefers-color-scheme: dark)');

export const theme = $state<{ choice: Choice }>({ choice: (localStorage.getItem('theme') as Choice | null) ?? 'auto' });

export function applyTheme() {
	const dark = theme.choice === 'dark' || (theme.choice === 'auto' && system.matches);
	document.documentElement.dataset.theme = dark ? 'dark' : 'light';
}

export function nextTheme() {
	theme.choice = ORDER[(ORDER.indexOf(theme.choice) + 1) % ORDER.length]!;
	localStorage.setItem('theme', theme.choice);
	applyTheme();
}

system.addEventListener('change', applyTheme);
