// SPDX-License-Identifier: Apache-2.0
// The world from Natural Earth vectors (world-atlas), drawn on a canvas; nodes are HTML above it.

import { geoEqualEarth, geoPath, type GeoProjection } from 'd3-geo';
import type { FeatureCollection, MultiLineString } from 'geojson';
import { feature, mesh } from 'topojson-client';
import type { GeometryCollection, Topology } from 'topojson-specification';
import coarse from 'world-atlas/countries-110m.json?url';
import fine from 'world-atlas/countries-50m.json?url';

export interface View {
	scale: number; // 1 shows the world
	x: number; // pan in pixels at scale 1
	y: number;
}

export interface World {
	land: FeatureCollection;
	borders: MultiLineString;
}

const loaded = new Map<string, Promise<World>>();

// The sharper outline is fetched only when someone zooms in.
export function world(scale: number): Promise<World> {
	const url = scale > 3 ? fine : coarse;
	let found = loaded.get(url);
	if (!found) {
		found = fetch(url)
			.then((answer) => answer.json() as Promise<Topology<{ countries: GeometryCollection }>>)
			.then((atlas) => ({
				land: feature(atlas, atlas.objects.countries) as FeatureCollection,
				borders: mesh(atlas, atlas.objects.countries, (a, b) => a !== b),
			}));
		loaded.set(url, found);
	}
	return found;
}

export function projectionFor(width: number, height: number, view: View): GeoProjection {
	const projection = geoEqualEarth().fitExtent(
		[
			[4, 4],
			[width - 4, height - 4],
		],
		{ type: 'Sphere' },
	);
	const [x, y] = projection.translate();
	return projection
		.scale(projection.scale() * view.scale)
		.translate([(x - width / 2 + view.x) * view.scale + width / 2, (y - height / 2 + view.y) * view.scale + height / 2]);
}

export function draw(canvas: HTMLCanvasElement, projection: GeoProjection, outline: World) {
	const ctx = canvas.getContext('2d');
	if (!ctx) return;
	const style = getComputedStyle(canvas);
	const colour = (name: string) => style.getPropertyValue(`--${name}`).trim();
	const path = geoPath(projection, ctx);
	ctx.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
	ctx.clearRect(0, 0, canvas.width, canvas.height);
	const fill = (name: string, object: Parameters<typeof path>[0]) => {
		ctx.beginPath();
		path(object);
		ctx.fillStyle = colour(name);
		ctx.fill();
	};
	fill('sea', { type: 'Sphere' });
	fill('land', outline.land);
	ctx.beginPath();
	path(outline.borders);
	ctx.strokeStyle = colour('border');
	ctx.lineWidth = 0.7;
	ctx.stroke();
}

// The view that shows all places with some room around them.
export function viewOf(places: [number, number][], width: number, height: number): View {
	if (places.length === 0) return { scale: 1, x: 0, y: 0 };
	const base = projectionFor(width, height, { scale: 1, x: 0, y: 0 });
	const points = places.map((p) => base(p)).filter((p): p is [number, number] => p !== null);
	const [xs, ys] = [points.map((p) => p[0]), points.map((p) => p[1])];
	const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
	const scale = Math.min(8, Math.max(1, 0.6 * Math.min(width / Math.max(1, right - left), height / Math.max(1, bottom - top))));
	return { scale, x: width / 2 - (left + right) / 2, y: height / 2 - (top + bottom) / 2 };
}

export interface Mark<T> {
	node: T;
	x: number;
	y: number;
}

// Marks that are nearer than `near` to the first of a heap belong to it. The first ones of the list
// begin heaps, so that a mark that moves a little does not shuffle the others.
export function heapsOf<T>(marks: Mark<T>[], near: number): Mark<T>[][] {
	const cells = new Map<string, Mark<T>[][]>(); // heaps, by the cell that their first mark is in
	const heaps: Mark<T>[][] = [];
	const cell = (value: number) => Math.floor(value / near);
	for (const mark of marks) {
		const [column, row] = [cell(mark.x), cell(mark.y)];
		const around = [-1, 0, 1].flatMap((dx) => [-1, 0, 1].flatMap((dy) => cells.get(`${column + dx} ${row + dy}`) ?? []));
		const heap = around.find(([first]) => Math.hypot(first!.x - mark.x, first!.y - mark.y) < near);
		if (heap) {
			heap.push(mark);
			continue;
		}
		const fresh = [mark];
		heaps.push(fresh);
		cells.set(`${column} ${row}`, [...(cells.get(`${column} ${row}`) ?? []), fresh]);
	}
	return heaps;
}
