// SPDX-License-Identifier: Apache-2.0
// The smoke chart (after SmokePing): p5–p95 and p25–p75 bands around the median of a delay, and a
// lane below that shows loss. Drawn by uPlot; colours come from the style sheet.

import uPlot from 'uplot';

import { clock, lossMood, ratio, seconds } from './format';
import type { Series } from './types';

const LANE = 10; // pixels for loss below the plot

function colours(element: Element) {
	const style = getComputedStyle(element);
	return (name: string) => style.getPropertyValue(`--${name}`).trim();
}

// Columns in the order of uPlot's series; a gap in time becomes a gap in the picture.
export function smokeData(series: Series): uPlot.AlignedData {
	const names = ['rtt_p5_seconds', 'rtt_p25_seconds', 'rtt_p50_seconds', 'rtt_p75_seconds', 'rtt_p95_seconds', 'loss_ratio'];
	const time: number[] = [];
	const columns: (number | null)[][] = names.map(() => []);
	const step = typicalStep(series.time);
	series.time.forEach((t, i) => {
		const before = series.time[i - 1];
		if (before !== undefined && t - before > 3 * step) {
			time.push(before + step);
			columns.forEach((c) => c.push(null));
		}
		time.push(t);
		names.forEach((name, c) => columns[c]!.push(series.columns[name]?.[i] ?? null));
	});
	return [time, ...columns] as uPlot.AlignedData;
}

export function typicalStep(time: number[]): number {
	const steps = time.slice(1).map((t, i) => t - time[i]!);
	steps.sort((a, b) => a - b);
	return steps[Math.floor(steps.length / 2)] ?? 1;
}

function drawLoss(chart: uPlot) {
	const colour = colours(chart.root);
	const { ctx, bbox } = chart;
	const ratioOfPixels = devicePixelRatio;
	const loss = chart.data[6] as (number | null)[];
	const times = chart.data[0] as number[];
	const step = typicalStep(times);
	const width = Math.max(2, Math.min(24 * ratioOfPixels, chart.valToPos(step, 'x', true) - chart.valToPos(0, 'x', true)));
	ctx.save();
	for (let i = 0; i < times.length; i++) {
		const value = loss[i];
		if (value === null || value === undefined) continue;
		const x = chart.valToPos(times[i]!, 'x', true);
		if (x < bbox.left || x > bbox.left + bbox.width) continue;
		const mood = lossMood(value);
		ctx.fillStyle = colour(mood);
		// Height tells the amount too, so that the meaning does not hang on hue alone.
		const height = (mood === 'good' ? 2 : 3 + value * (LANE - 3)) * ratioOfPixels;
		ctx.fillRect(x - width / 2, bbox.top + bbox.height - height, Math.max(1, width - 1), height);
		const median = (chart.data[3] as (number | null)[])[i];
		if (mood !== 'good' && median !== null && median !== undefined) {
			ctx.fillRect(x - width / 2, chart.valToPos(median, 'y', true) - 2 * ratioOfPixels, width, 4 * ratioOfPixels);
		}
	}
	ctx.restore();
}

// 24-hour clock; the date where a day begins, seconds only where ticks are closer than a minute.
export function clockLabel(unix: number, step: number): string {
	const date = new Date(unix * 1000);
	const two = (n: number) => String(n).padStart(2, '0');
	const time = `${two(date.getHours())}:${two(date.getMinutes())}`;
	if (step < 60) return `${time}:${two(date.getSeconds())}`;
	return time === '00:00' || step >= 86400 ? `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}` : time;
}

export function smokeOptions(element: HTMLElement, height: number, onZoom: (from: number, to: number) => void): uPlot.Options {
	const colour = colours(element);
	const accent = colour('accent');
	const axis = { stroke: colour('soft'), grid: { stroke: colour('line'), width: 1 }, ticks: { stroke: colour('line'), width: 1 }, font: '12px system-ui' };
	const hidden = (label: string): uPlot.Series => ({ label, stroke: 'transparent', width: 0, points: { show: false }, value: (_, v) => seconds(v) });
	return {
		width: element.clientWidth,
		height,
		cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
		legend: { live: true },
		scales: { y: { range: (_, __, max) => [0, Math.max(max ?? 0, 0.00002) * 1.15] } },
		axes: [
			{ ...axis, space: 72, values: (_, ticks, __, ___, step) => ticks.map((t) => clockLabel(t, step)) },
			{ ...axis, size: 64, values: (_, ticks) => ticks.map((t) => (t === 0 ? '0' : seconds(t))) },
		],
		series: [
			{ label: 'time', value: (_, v) => (v === null ? '–' : clock(v * 1000)) },
			hidden('p5'),
			hidden('p25'),
			{ label: 'median', stroke: accent, width: 1.5, points: { show: false }, value: (_, v) => seconds(v) },
			hidden('p75'),
			hidden('p95'),
			{ label: 'loss', scale: 'loss', stroke: 'transparent', width: 0, points: { show: false }, value: (_, v) => ratio(v) },
		],
		bands: [
			{ series: [5, 1], fill: `${accent}2e` },
			{ series: [4, 2], fill: `${accent}4d` },
		],
		hooks: {
			draw: [drawLoss],
			setSelect: [
				(chart) => {
					if (chart.select.width < 4) return;
					onZoom(chart.posToVal(chart.select.left, 'x'), chart.posToVal(chart.select.left + chart.select.width, 'x'));
					chart.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
				},
			],
		},
	};
}
