// SPDX-License-Identifier: Apache-2.0
// What two readers of others make of a Parquet file: {"hyparquet": {...}, "duckdb": {...}}, each with
// the number of rows and, of the columns named, the sum and how many values there are.
// usage: export_sums.mjs FILE COLUMN...; exits with 77 when the readers are not installed
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const web = createRequire(new URL('../../web/package.json', import.meta.url));
const load = async (name) => import(pathToFileURL(web.resolve(name)).href);
const [file, ...columns] = process.argv.slice(2);

let hyparquet, compressors, duckdb;
try {
	hyparquet = await load('hyparquet');
	({ compressors } = await load('hyparquet-compressors'));
	duckdb = await load('@duckdb/node-api');
} catch (error) {
	console.error(`${error.message} (npm ci in web/)`);
	process.exit(77);
}

const bytes = readFileSync(file);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);
const rows = await hyparquet.parquetReadObjects({ file: buffer, compressors });
const told = { hyparquet: { rows: rows.length }, duckdb: {} };
for (const column of columns) {
	const values = rows.map((row) => row[column]).filter((value) => value !== undefined && value !== null);
	told.hyparquet[column] = { count: values.length, sum: values.reduce((total, value) => total + Number(value), 0) };
}

const connection = await (await duckdb.DuckDBInstance.create()).connect();
const ask = async (what) => (await connection.runAndReadAll(`SELECT ${what} FROM read_parquet('${file}')`)).getRows()[0];
told.duckdb.rows = Number((await ask('count(*)'))[0]);
for (const column of columns) {
	const [count, sum] = await ask(`count("${column}"), CAST(coalesce(sum("${column}"), 0) AS DOUBLE)`);
	told.duckdb[column] = { count: Number(count), sum: Number(sum) };
}
console.log(JSON.stringify(told));
process.exit(0);
