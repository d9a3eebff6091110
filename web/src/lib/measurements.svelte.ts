// SPDX-License-Identifier: Apache-2.0
// The newest measurements, loaded once and kept by the stream while somebody looks.

import { get } from './api';
import { listen } from './events';
import type { Measurement } from './measure';
import type { Page } from './types';

const SHOWN = 200;

export const measurements = $state({ items: [] as Measurement[], loaded: false, error: '' });

function take(measurement: Measurement) {
	const at = measurements.items.findIndex((m) => m.id === measurement.id);
	if (at >= 0) measurements.items[at] = { ...measurements.items[at], ...measurement };
	else measurements.items = [measurement, ...measurements.items].slice(0, SHOWN);
}

async function load() {
	try {
		measurements.items = (await get<Page<Measurement>>(`/measurements?limit=${SHOWN}`)).items;
		measurements.error = '';
	} catch (problem) {
		measurements.error = (problem as Error).message;
	}
	measurements.loaded = true;
}

export function followMeasurements(): () => void {
	void load();
	return listen(['measurements'], {}, { measurement: take, reset: () => void load() });
}
