// SPDX-License-Identifier: Apache-2.0
import { expect, test } from 'vitest';

import type { SondeNode } from '../src/lib/types';
import { verdicts } from '../src/lib/verdict';

const NOW = Date.parse('2026-01-01T00:01:00Z');
const node = (id: string, state: SondeNode['state']): SondeNode => ({ id, name: id.toUpperCase(), state, last_seen: null, enrolled: '' });
const path = (loss: number | null, time = '2026-01-01T00:00:59Z') => ({ node: 'a', target: 't', last: { time, loss_ratio: loss }, at: Date.parse(time) });

test('a quiet network has no findings', () => expect(verdicts([node('a', 'online')], [path(0)], NOW)).toEqual([]));

test('an offline node comes before a lossy path', () => {
	const found = verdicts([node('b', 'offline'), node('a', 'online')], [path(0.01)], NOW);
	expect(found.map((v) => v.text)).toEqual(['B is offline', 'A loses 1.0 % to t']);
});

test('the worst loss comes first, an offline node before any', () => {
	const far = { node: 'a', target: 'far', last: { time: '2026-01-01T00:00:59Z', loss_ratio: 0.1 }, at: Date.parse('2026-01-01T00:00:59Z') };
	const found = verdicts([node('b', 'offline'), node('a', 'online')], [far, path(0.6)], NOW);
	expect(found.map((v) => v.text)).toEqual(['B is offline', 'A loses 60 % to t', 'A loses 10 % to far']);
});

test('an old result says nothing about now', () => expect(verdicts([node('a', 'online')], [path(1, '2026-01-01T00:00:00Z')], NOW + 1)).toEqual([]));
