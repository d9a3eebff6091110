// SPDX-License-Identifier: Apache-2.0
// The same as a command: for the shell, curl and Python.

import type { Body } from './measure';

export const quote = (text: string) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`);

// `sonde VERB WORDS...` with those options that have a value.
export function commandWith(verb: string, words: string[], options: Record<string, string | null | undefined>): string {
	const given = Object.entries(options).flatMap(([option, value]) => (value ? [option, quote(value)] : []));
	return ['sonde', verb, ...words.map(quote), ...given].join(' ');
}

const PERIODIC = /^now(?: \+ (\w+)| \.\.\. future) \/ (\w+)$/;

function whenWords(when: string): string[] {
	if (when === 'now') return [];
	const simple = PERIODIC.exec(when);
	if (!simple) return ['--when', when];
	return simple[1] ? ['--every', simple[2]!, '--for', simple[1]] : ['--every', simple[2]!];
}

// `targets`: the parameter whose values may stand by themselves.
export function commandOf(body: Body, targets?: string): string {
	const words = ['sonde', 'measure', body.capability];
	for (const [name, value] of Object.entries(body.parameters)) {
		if (name === targets && Array.isArray(value)) words.push(...value.map(String));
		else words.push(`${name}=${Array.isArray(value) ? value.join(',') : String(value)}`);
	}
	words.push(...whenWords(body.when));
	for (const [option, list] of [
		['--node', body.nodes],
		['--tag', body.tags],
		['--country', body.countries],
		['--network', body.networks],
	] as const) {
		if (list?.length) words.push(option, list.join(','));
	}
	if (body.name) words.push('--name', body.name);
	return words.map(quote).join(' ');
}

export interface RowsAsked {
	node?: string; // by name
	target?: string | null;
	since?: string;
	until?: string;
	where?: Record<string, string>;
	top?: string;
}

// `verb`: what rows to show, like "flows" or "results ping".
export function rowsCommand(verb: string, { node, target, since, until, where, top }: RowsAsked): string {
	const conditions = Object.entries(where ?? {}).map(([column, value]) => ` --where ${quote(`${column}=${value}`)}`);
	return commandWith(verb, [], { '--top': top, '--node': node, '--target': target, '--since': since, '--until': until }) + conditions.join('');
}

export interface Asked {
	method?: string; // GET, or POST when there is a body
	url: string;
	body?: unknown;
	accept?: string;
	file?: string; // where the answer goes, when it is one to be kept
}

// A hub with TLS has a certificate of its own CA, which programs must be given.
const CA_FILE = 'sonde-ca.pem';
export const needsCa = (url: string) => url.startsWith('https:');

export function curlOf({ method, url, body, accept, file }: Asked): string {
	const json = body === undefined ? undefined : JSON.stringify(body);
	return [
		`curl${needsCa(url) ? ` --cacert ${CA_FILE}` : ''}${method && method !== (body === undefined ? 'GET' : 'POST') ? ` -X ${method}` : ''} -H "Authorization: Bearer $SONDE_TOKEN"`,
		...(json === undefined ? [] : [`    -H 'Content-Type: application/json' -d ${quote(json)}`]),
		...(accept ? [`    -H 'Accept: ${accept}'`] : []),
		...(file ? [`    -o ${quote(file)}`] : []),
		`    ${quote(url)}`,
	].join(' \\\n');
}

export function pythonOf({ method, url, body, accept, file }: Asked): string {
	const headers = [
		`'Authorization': 'Bearer ' + os.environ['SONDE_TOKEN']`,
		...(body === undefined ? [] : [`'Content-Type': 'application/json'`]),
		...(accept ? [`'Accept': '${accept}'`] : []),
	];
	return [
		`import ${file ? '' : 'json, '}os${file ? ', shutil' : ''}${needsCa(url) ? ', ssl' : ''}, urllib.request`,
		'',
		'request = urllib.request.Request(',
		`    ${JSON.stringify(url)},`,
		...(body === undefined ? [] : [`    data=${JSON.stringify(JSON.stringify(body))}.encode(),`]),
		...(method && method !== (body === undefined ? 'GET' : 'POST') ? [`    method='${method}',`] : []),
		`    headers={${headers.join(', ')}})`,
		`with urllib.request.urlopen(request${needsCa(url) ? `, context=ssl.create_default_context(cafile='${CA_FILE}')` : ''}) as answer:`,
		...(file ? [`    with open(${JSON.stringify(file)}, 'wb') as out:`, `        shutil.copyfileobj(answer, out)`] : [`    print(json.dumps(json.load(answer), indent=2))`]),
	].join('\n');
}
