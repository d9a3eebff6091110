// SPDX-License-Identifier: Apache-2.0
// Parquet files of ours through two readers of others: every value, sums and counts that the reader
// makes itself, what the file tells about its columns.
// usage: parquet.mjs PROGRAM, which writes the files (parquet_files.c)
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const PAGE = 50000; // rows that are read at once

// The readers are development dependencies of web/.
const web = createRequire(new URL('../../web/package.json', import.meta.url));
async function reader(...names) {
	try {
		return await Promise.all(names.map((name) => import(pathToFileURL(web.resolve(name)).href)));
	} catch (error) {
		return `${names[0]} is not installed: ${error.code ?? error.message} (npm ci in web/)`;
	}
}

const parsers = {
	integer: BigInt,
	time: BigInt,
	number: Number,
	bool: (text) => text === '1',
	text: (text) => Buffer.from(text.slice(1), 'hex').toString('utf8'),
};

// What is to be in a file: columns with their values, undefined for none.
function expected(path) {
	const [head, ...lines] = readFileSync(path, 'latin1').slice(0, -1).split('\n');
	const columns = head.split('\t').map((field) => {
		const [name, type] = field.split(':');
		return { name, type, values: [] };
	});
	for (const line of lines)
		line.split('\t').forEach((field, i) => {
			columns[i].values.push(field === '' ? undefined : parsers[columns[i].type](field));
		});
	return { rows: lines.length, columns };
}

function equal(what, found, wanted) {
	if (!Object.is(found, wanted)) throw new Error(`${what}: ${String(found).slice(0, 80)} instead of ${String(wanted).slice(0, 80)}`);
}

const sum = (values) => values.reduce((total, value) => total + (value ?? 0n), 0n);
const some = (values) => values.filter((value) => value !== undefined);
const least = (values) => values.reduce((a, b) => (b < a ? b : a));
const greatest = (values) => values.reduce((a, b) => (b > a ? b : a));

// hyparquet ------------------------------------------------------------------

async function withHyparquet([hyparquet, { compressors }], file, wanted) {
	const bytes = readFileSync(file);
	const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
	const metadata = hyparquet.parquetMetadata(buffer);
	const rows = await hyparquet.parquetReadObjects({
		file: buffer, metadata, compressors,
		parsers: { ...hyparquet.DEFAULT_PARSERS, timestampFromNanoseconds: (value) => value },
	});
	equal('rows', rows.length, wanted.rows);
	for (const { name, values } of wanted.columns)
		rows.forEach((row, i) => equal(`${name} of row ${i}`, row[name] ?? undefined, values[i]));
	tellsItsColumns(metadata, wanted);
	tellsBounds(metadata, wanted);
}

function tellsItsColumns(metadata, wanted) {
	const told = Object.fromEntries(metadata.key_value_metadata.map(({ key, value }) => [key, value]));
	const columns = JSON.parse(told['sonde.columns']);
	equal('columns that are described', columns.length, wanted.columns.length);
	columns.forEach(({ name, type, unit, help }, i) => {
		equal('name', name, wanted.columns[i].name);
		equal('type', type, wanted.columns[i].type);
		if (typeof unit !== 'string' || help === '') throw new Error(`${name} has no unit or no help`);
	});
	if (!/^sonde version \d/.test(metadata.created_by)) throw new Error(`created by ${metadata.created_by}`);
}

const plainly = {
	integer: (value) => value,
	number: (value) => value + 0, // zeros of both signs are one
	bool: (value) => value,
	text: (value) => value,
};

// Each chunk tells its nulls, and its least and greatest value where it tells any.
function tellsBounds(metadata, { columns }) {
	let first = 0;
	for (const group of metadata.row_groups) {
		const end = first + Number(group.num_rows);
		group.columns.forEach(({ meta_data: { statistics, codec } }, i) => {
			const { name, type, values } = columns[i];
			const here = some(values.slice(first, end));
			equal(`codec of ${name}`, codec, 'ZSTD');
			equal(`nulls of ${name}`, Number(statistics.null_count), end - first - here.length);
			if (here.length === 0) equal(`least of no ${name}`, statistics.min_value, undefined);
			if (statistics.min_value === undefined || !(type in plainly)) return;
			equal(`least ${name}`, plainly[type](statistics.min_value), plainly[type](least(here)));
			equal(`greatest ${name}`, plainly[type](statistics.max_value), plainly[type](greatest(here)));
		});
		first = end;
	}
}

// DuckDB ---------------------------------------------------------------------

const quoted = (name) => `"${name}"`;
// Its times with a zone are microseconds, cut.
const asDuckdbReads = (type, value) => (type === 'time' && value !== undefined ? value / 1000n : value);

async function withDuckdb([{ DuckDBInstance }], file, wanted) {
	const connection = await (await DuckDBInstance.create(':memory:')).connect();
	const ask = async (question) => (await connection.runAndReadAll(question)).getRows();
	const from = `from read_parquet('${file}', file_row_number = true)`;
	const list = wanted.columns.map(({ name, type }) => (type === 'time' ? `epoch_us(${quoted(name)})` : quoted(name)));

	for (let first = 0; first < Math.max(wanted.rows, 1); first += PAGE) {
		const where = `where file_row_number >= ${first} and file_row_number < ${first + PAGE} order by file_row_number`;
		const rows = await ask(`select ${list.join(', ')} ${from} ${where}`);
		equal('rows', rows.length, Math.min(PAGE, wanted.rows - first));
		rows.forEach((row, i) => wanted.columns.forEach(({ name, type, values }, c) =>
			equal(`${name} of row ${first + i}`, row[c] ?? undefined, asDuckdbReads(type, values[first + i]))));
	}
	await countsAndSums(ask, from, wanted);
	await findsByValue(ask, from, wanted);
	connection.closeSync();
}

async function countsAndSums(ask, from, wanted) {
	for (const { name, type, values } of wanted.columns) {
		const total = type === 'integer' ? `coalesce(sum(${quoted(name)}::hugeint), 0)` : '0';
		const [[rows, there, added, different]] = await ask(
			`select count(*), count(${quoted(name)}), ${total}, count(distinct ${quoted(name)}) ${from}`);
		const here = some(values);
		equal(`rows of ${name}`, Number(rows), wanted.rows);
		equal(`values of ${name}`, Number(there), here.length);
		if (type === 'integer') equal(`sum of ${name}`, BigInt(added), sum(values));
		if (type !== 'time') equal(`different ${name}`, Number(different), new Set(here.map((value) => (value === 0 ? 0 : value))).size);
	}
}

// The reader skips row groups by their statistics, so wrong ones would lose rows.
async function findsByValue(ask, from, wanted) {
	for (const { name, type, values } of wanted.columns) {
		const here = some(values);
		if (here.length === 0 || type === 'time' || type === 'bool') continue;
		for (const value of [least(here), greatest(here), here[here.length >> 1]]) {
			const literal = type === 'text' ? `'${value.replaceAll("'", "''")}'` : type === 'number' ? `'${value}'::double` : `(${value})`;
			const [[found]] = await ask(`select count(*) ${from} where ${quoted(name)} = ${literal}`);
			equal(`rows with this ${name}`, Number(found), here.filter((other) => other === value).length);
		}
	}
}

// Cases ----------------------------------------------------------------------

async function main() {
	const place = mkdtempSync(join(tmpdir(), 'sonde-parquet-'));
	const readers = {
		hyparquet: [await reader('hyparquet', 'hyparquet-compressors'), withHyparquet],
		DuckDB: [await reader('@duckdb/node-api'), withDuckdb],
	};
	let number = 0, failed = 0;

	try {
		execFileSync(process.argv[2], [place]);
		for (const file of readdirSync(place).filter((name) => name.endsWith('.parquet')).sort()) {
			const wanted = expected(join(place, file.replace('.parquet', '.tsv')));
			for (const [name, [library, read]] of Object.entries(readers)) {
				const title = `${file} reads the same with ${name}`;
				number++;
				if (typeof library === 'string') {
					console.log(`ok ${number} - ${title} # SKIP ${library}`);
					continue;
				}
				const problem = await read(library, join(place, file), wanted).catch((error) => error);
				failed += problem !== undefined;
				console.log(`${problem ? 'not ok' : 'ok'} ${number} - ${title}`);
				if (problem) console.log(`# ${problem.stack.replaceAll('\n', '\n# ')}`);
			}
		}
	} finally {
		rmSync(place, { recursive: true, force: true });
	}
	console.log(`1..${number}`);
	process.exitCode = failed > 0 ? 1 : 0;
}

await main();
