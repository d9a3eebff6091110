// SPDX-License-Identifier: Apache-2.0
// When to measure: the scopes of mPlane that people choose in words.

import { durationSeconds } from './capability';

export type Schedule = 'once' | 'period' | 'standing' | 'bursts' | 'cron' | 'own';

export interface When {
	schedule: Schedule;
	begin: string; // '': now; else as <input type="datetime-local"> gives it, local time
	every: string; // period
	during: string; // length; '' for bursts: until it is stopped
	burst: string; // length of a burst
	within: string; // period inside a burst
	minutes: string; // of the crontab
	hours: string;
	days: string;
	own: string;
}

export const FRESH: When = { schedule: 'once', begin: '', every: '10s', during: '5m', burst: '30s', within: '1s', minutes: '0', hours: '*', days: '*', own: '' };

export const DAYS = [
	{ value: '*', label: 'every day' },
	{ value: '1-5', label: 'Monday to Friday' },
	{ value: '0,6', label: 'Saturday and Sunday' },
] as const;

// What a capability can do: one that offers no period runs all the time (a meter).
export const isContinuous = (offered: string) => offered.includes(' ... ') && !offered.includes(' / ') && !offered.startsWith('repeat');
export const shortestPeriod = (offered: string) => / \/ (\w+)/.exec(offered)?.[1] ?? null;

export function schedulesOf(offered: string): { value: Schedule; label: string }[] {
	if (isContinuous(offered)) {
		return [
			{ value: 'period', label: 'for a while' },
			{ value: 'standing', label: 'until it is stopped' },
			{ value: 'own', label: 'as an mPlane scope says' },
		];
	}
	return [
		{ value: 'once', label: 'once' },
		{ value: 'period', label: 'again and again, for a while' },
		{ value: 'standing', label: 'again and again, until it is stopped' },
		{ value: 'bursts', label: 'in bursts' },
		{ value: 'cron', label: 'at certain times of the day' },
		{ value: 'own', label: 'as an mPlane scope says' },
	];
}

const two = (n: number) => String(n).padStart(2, '0');

// mPlane times are UTC.
export function scopeTime(date: Date): string {
	return `${date.getUTCFullYear()}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())} ${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
}

export function localInput(date: Date): string {
	return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}T${two(date.getHours())}:${two(date.getMinutes())}`;
}

const start = (when: When) => (when.begin ? scopeTime(new Date(when.begin)) : 'now');

export function scopeOf(when: When, offered = ''): string {
	const period = isContinuous(offered) ? '' : ` / ${when.every}`;
	switch (when.schedule) {
		case 'once':
			return start(when);
		case 'period':
			return `${start(when)} + ${when.during}${period}`;
		case 'standing':
			return `${start(when)} ... future${period}`;
		case 'bursts':
			return `repeat ${start(when)} ${when.during ? `+ ${when.during}` : '... future'} / ${when.every} { now + ${when.burst} / ${when.within} }`;
		case 'cron':
			return `repeat now ... future cron 0 ${when.minutes} ${when.hours} * ${when.days} *`;
		case 'own':
			return when.own.trim();
	}
}

// While typing -----------------------------------------------------------------------

const SCOPE_DURATION = /^(?=\d)(\d+d)?(\d+h)?(\d+m)?(\d+s)?$/;

export type WhenField = Exclude<keyof When, 'schedule' | 'days'>;

const duration = (text: string) => (SCOPE_DURATION.test(text) ? '' : 'days, hours, minutes and seconds, like 10s or 1h30m');

function list(text: string, max: number): string {
	const fits = text === '*' || (/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(text) && text.split(/[,-]/).every((n) => Number(n) <= max));
	return fits ? '' : `* for all, or numbers from 0 to ${max} like 0,30 or 8-17`;
}

// What is wrong, by field; none: nothing is.
export function whenComplaints(when: When, offered = ''): Partial<Record<WhenField, string>> {
	const found: Partial<Record<WhenField, string>> = {};
	const say = (field: WhenField, text: string) => text && (found[field] = text);
	const { schedule } = when;
	const periodic = (schedule === 'period' || schedule === 'standing') && !isContinuous(offered);
	if (schedule === 'own') say('own', when.own.trim() ? '' : 'must be given');
	if (periodic || schedule === 'bursts') say('every', duration(when.every));
	if (schedule === 'period' || (schedule === 'bursts' && when.during)) say('during', duration(when.during));
	if (schedule === 'bursts') {
		say('burst', duration(when.burst));
		say('within', duration(when.within));
	}
	if (schedule === 'cron') {
		say('minutes', list(when.minutes, 59));
		say('hours', list(when.hours, 23));
	}
	if (schedule !== 'cron' && schedule !== 'own' && when.begin && Number.isNaN(Date.parse(when.begin))) say('begin', 'not a date and a time');
	const shortest = shortestPeriod(offered);
	const field = schedule === 'bursts' ? 'within' : 'every';
	const [asked, least] = [durationSeconds(when[field]), shortest ? durationSeconds(shortest) : null];
	if ((periodic || schedule === 'bursts') && !found[field] && asked !== null && (asked === 0 || (least !== null && asked < least))) say(field, `at least ${shortest ?? '1s'}`);
	return found;
}

// Back from a scope, which may be resolved: to measure the same again the times become relative.
const NUMBER = String.raw`(?:\d+d)?(?:\d+h)?(?:\d+m)?(?:\d+s)?`;
const MOMENT = String.raw`(?:now|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?)`;
const SPAN = new RegExp(`^(repeat )?(${MOMENT})(?: \\.\\.\\. (future|${MOMENT})| \\+ (${NUMBER}))?(?: / (${NUMBER}))?(?: \\{ now \\+ (${NUMBER}) / (${NUMBER}) \\})?$`);
const CRON = new RegExp(`^repeat ${MOMENT} \\.\\.\\. future cron 0 (\\S+) (\\S+) (\\S+) (\\S+) (\\S+)(?: \\{ now \\})?$`);

const utc = (text: string) => Date.parse(`${text.replace(' ', 'T')}Z`);

export function durationText(total: number): string {
	let rest = Math.round(total);
	let text = '';
	for (const [unit, length] of [['d', 86400], ['h', 3600], ['m', 60], ['s', 1]] as const) {
		const amount = Math.floor(rest / length);
		rest -= amount * length;
		if (amount > 0) text += `${amount}${unit}`;
	}
	return text || '0s';
}

// Full lists of a crontab as people write them: "*", "1-5", "0,30".
function brief(field: string, min: number, max: number): string {
	const numbers = field.split(',').map(Number);
	if (field === '*' || numbers.some(Number.isNaN)) return field;
	if (numbers.length === max - min + 1) return '*';
	const run = numbers.every((n, i) => i === 0 || n === numbers[i - 1]! + 1);
	return run && numbers.length > 2 ? `${numbers[0]}-${numbers.at(-1)}` : field;
}

export function whenOf(scope: string): When {
	const cron = CRON.exec(scope);
	if (cron) {
		const [minutes, hours, month, days, year] = [brief(cron[1]!, 0, 59), brief(cron[2]!, 0, 23), brief(cron[3]!, 1, 31), brief(cron[4]!, 0, 6), brief(cron[5]!, 1, 12)];
		if (month === '*' && year === '*' && DAYS.some((d) => d.value === days)) return { ...FRESH, schedule: 'cron', minutes, hours, days };
	}
	const span = SPAN.exec(scope);
	if (!span) return scope === '' ? FRESH : { ...FRESH, schedule: 'own', own: scope.replace(new RegExp(`^(repeat )?${MOMENT} (?=\\.\\.\\. future)`), '$1now ') };
	const [, repeat, from, until, length, every, burst, within] = span;
	const end = until && until !== 'future' && from !== 'now' ? (utc(until) - utc(from!)) / 1000 : 0;
	const during = length ?? (end > 0 ? durationText(end) : '');
	if (repeat) {
		if (every && burst && within) return { ...FRESH, schedule: 'bursts', every, during, burst, within };
		return { ...FRESH, schedule: 'own', own: `repeat now ${during ? `+ ${during}` : '... future'}${every ? ` / ${every}` : ''}` };
	}
	if (until === 'future') return { ...FRESH, schedule: 'standing', every: every ?? FRESH.every };
	if (during) return { ...FRESH, schedule: 'period', during, every: every ?? FRESH.every };
	const future = from !== 'now' && utc(from!) > Date.now();
	return { ...FRESH, begin: future ? localInput(new Date(utc(from!))) : '' };
}

// First run ------------------------------------------------------------------------------

function cronSet(field: string, max: number): Set<number> {
	const out = new Set<number>();
	if (field === '*') for (let n = 0; n <= max; n++) out.add(n);
	else
		for (const part of field.split(',')) {
			const [from, to] = part.split('-').map(Number);
			for (let n = from!; n <= Math.min(to ?? from!, max); n++) out.add(n);
		}
	return out;
}

const CRON_FIELDS = /cron (\S+) (\S+) (\S+) (\S+) (\S+) (\S+)/;
const MINUTES_MAX = 366 * 24 * 60;

// Start of the first run of a resolved scope (Unix milliseconds), or null where it cannot be told.
export function firstRun(resolved: string): number | null {
	const from = new RegExp(`^(?:repeat )?(${MOMENT})`).exec(resolved)?.[1];
	if (!from || from === 'now') return null;
	const cron = CRON_FIELDS.exec(resolved);
	if (!cron) return utc(from);
	const [seconds, minutes, hours, days, weekdays, months] = [59, 59, 23, 31, 7, 12].map((max, i) => cronSet(cron[i + 1]!, max));
	const second = Math.min(...seconds!);
	const at = new Date(Math.ceil(utc(from) / 60000) * 60000);
	for (let i = 0; i < MINUTES_MAX; i++, at.setTime(at.getTime() + 60000)) {
		const day = at.getUTCDay();
		if (!minutes!.has(at.getUTCMinutes()) || !hours!.has(at.getUTCHours()) || !days!.has(at.getUTCDate()) || !months!.has(at.getUTCMonth() + 1)) continue;
		if (weekdays!.has(day) || (day === 0 && weekdays!.has(7))) return at.getTime() + second * 1000;
	}
	return null;
}

// In words -------------------------------------------------------------------------------

export function whenWords(scope: string): string {
	if (CRON_FIELDS.test(scope)) {
		const cron = CRON.exec(scope);
		if (!cron) return scope.replace(/^repeat /, 'repeated: ');
		const day = DAYS.find((d) => d.value === brief(cron[4]!, 0, 6));
		const [minutes, hours] = [brief(cron[1]!, 0, 59), brief(cron[2]!, 0, 23)];
		return `${day?.label ?? `on weekdays ${cron[4]}`}, ${hours === '*' ? 'each hour' : `hours ${hours} (UTC)`}, ${minutes === '*' ? 'each minute' : `minute ${minutes}`}`;
	}
	const span = SPAN.exec(scope);
	if (!span) return scope;
	const [, repeat, from, until, length, every, burst, within] = span;
	const end = until && until !== 'future' && from !== 'now' ? durationText((utc(until) - utc(from!)) / 1000) : length;
	const lasts = until === 'future' ? 'until it is stopped' : end ? `for ${end}` : '';
	if (repeat && burst) return `every ${every} a burst of ${burst} (a run each ${within}), ${lasts}`;
	if (every) return `every ${every} ${lasts}`;
	return lasts || 'once';
}
