// Recorded attacks through the real clients: sent with @azure/monitor-ingestion, asked with @azure/monitor-query-logs and
// azure-kusto-data; the answers must be those that were worked out by hand and that the command line gives.
// Runs in the folder of ../shared/compat/logs, whose packages and harness it uses. ATTACKS: the folder of the data sets;
// RINGFORT: the program.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import zlib from 'node:zlib';
import { execFileSync } from 'node:child_process';
import { LogsIngestionClient } from '@azure/monitor-ingestion';
import { LogsQueryClient } from '@azure/monitor-query-logs';
import { Client, KustoConnectionStringBuilder } from 'azure-kusto-data';
import { suite, unique } from './harness.mjs';

const folder = process.env.ATTACKS;
const ringfort = process.env.RINGFORT;
const sets = Object.fromEntries(fs.readFileSync(`${folder}/datasets.csv`, 'utf8').split('\n').slice(1).filter(Boolean)
  .map((line) => line.split(',')).map(([dataset, file, , table]) => [dataset, { file: `${folder}/${file}`, table }]));
const cases = fs.readFileSync(`${folder}/kql.jsonl`, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));

/** Asks the command line about a file. */
function local(file, table, query) {
  const files = ['--file', `${file}=T`, ...(table ? ['--file', `${file}=${table}`] : [])];
  const out = execFileSync(ringfort, ['query', '--format', 'json', ...files, query], { maxBuffer: 1 << 28 });
  return JSON.parse(out).tables[0].rows;
}

// Streams of a rule take these types, and columns of tables no other characters.
const streamType = { string: 'string', int: 'int', long: 'long', real: 'real', bool: 'boolean', dynamic: 'dynamic', datetime: 'datetime' };
const reserved = /^(Type|TenantId|resource|resourceid|resourcename|resourcetype|subscriptionid|TimeGenerated|_ResourceId)$/i;
const columnsOf = (file) => local(file, '', 'T | getschema | project ColumnName, ColumnType')
  .filter(([name]) => /^[A-Za-z][A-Za-z0-9_]{0,44}$/.test(name) && !reserved.test(name))
  .map(([name, type]) => [name, streamType[type] ?? 'string']);

const canonical = (rows, sorted) => {
  const texts = rows.map((row) => JSON.stringify(row));
  return sorted ? texts : texts.sort();
};
const plain = (value) => (value instanceof Date ? value.toISOString() : typeof value === 'bigint' ? Number(value) : value);

suite('recorded attacks', (env) => {
  const ingest = new LogsIngestionClient(env.origin, env.credential);
  const logs = new LogsQueryClient(env.credential, { endpoint: `${env.origin}/v1` });
  const kusto = new Client(KustoConnectionStringBuilder.withTokenCredential(env.origin, env.credential));

  for (const dataset of new Set(cases.map((c) => c.dataset))) {
    const { file, table } = sets[dataset];
    test(dataset, { timeout: 300000 }, async () => {
      const records = zlib.gunzipSync(fs.readFileSync(file)).toString('utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
      const target = await env.tableAndRule(unique('Attack'), columnsOf(file));
      // Numbers as texts are what some collectors send; the types are those that the command line found in the file.
      await ingest.upload(target.immutableId, target.stream, records);
      const [[count]] = (await logs.queryWorkspace(env.wsId, `${target.table} | count`, { duration: 'P36500D' })).tables[0].rows;
      assert.equal(Number(count), records.length, 'every record is there once');
      for (const { query, rows } of cases.filter((c) => c.dataset === dataset)) {
        const sorted = /order by|sort by|top /.test(query);
        const asked = `let T = ${target.table};${table ? ` let ${table} = T;` : ''} ${query}`;
        const want = canonical(rows, sorted);
        assert.deepEqual(canonical(local(file, table, query), sorted), want, `command line: ${query}`);
        const byLogs = (await logs.queryWorkspace(env.wsId, asked, { duration: 'P36500D' })).tables[0].rows.map((row) => row.map(plain));
        assert.deepEqual(canonical(byLogs, sorted), want, `query API: ${query}`);
        const result = (await kusto.execute(env.ws, asked)).primaryResults[0];
        const byKusto = [...result.rows()].map((row) => [...row.values()].map(plain));
        assert.deepEqual(canonical(byKusto, sorted), want, `Kusto: ${query}`);
      }
    });
  }
});
