// SPDX-License-Identifier: Apache-2.0
// What a page about one thing calls it, for the title of the window and the history.

export const title = $state({ text: '' });

// In an effect of the page; what it returns forgets the name when the page is left.
export function entitle(text: string): () => void {
	title.text = text;
	return () => {
		if (title.text === text) title.text = '';
	};
}
