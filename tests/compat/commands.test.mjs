// Management commands through azure-kusto-data: what Kusto's own tools send, and a purge with its token.
// Runs in the folder of ../shared/compat/logs, whose packages and harness it uses.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { Client, ClientRequestProperties, KustoConnectionStringBuilder } from 'azure-kusto-data';
import { suite, unique, failure } from './harness.mjs';

suite('commands', (env) => {
  const client = () => new Client(KustoConnectionStringBuilder.withTokenCredential(env.origin, env.credential));
  const rows = (answer) => [...answer.primaryResults[0].rows()].map((row) => row.toJSON());
  const run = async (csl) => rows(await client().executeMgmt(env.ws, csl));
  const ask = async (csl) => rows(await client().execute(env.ws, csl));

  test('a table from its creation to its end', async () => {
    const table = `${unique('Cmd')}_CL`;
    const [made] = await run(`.create table ${table} (N:long, S:string) with (docstring='d', folder='f')`);
    assert.equal(made.TableName, table);
    assert.equal(JSON.parse(made.Schema).OrderedColumns.find((c) => c.Name === 'N').CslType, 'long');
    assert.deepEqual((await run(`.show tables (${table})`))[0], { TableName: table, DatabaseName: made.DatabaseName, Folder: 'f', DocString: 'd' });
    await run(`.ingest inline into table ${table} with (format='multijson') <| [{"N":1,"S":"x"},{"N":2,"S":"y"},{"N":3,"S":"x"}]`);
    const [extent] = await run(`.set-or-append ${table} <| ${table} | project N = N + 10, S`);
    assert.equal(extent.RowCount, 3);
    assert.equal((await ask(`${table} | count`))[0].Count, 6);
    assert.equal((await run(`.show table ${table} details`))[0].TotalRowCount, 6);
    const [step] = await run(`.purge table ${table} records in database ['${env.ws}'] <| where S == 'x' and N < 10`);
    assert.equal(step.NumRecordsToPurge, 2);
    const [purge] = await run(`.purge table ${table} records in database ['${env.ws}'] with (verificationtoken='${step.VerificationToken}') <| where S == 'x' and N < 10`);
    for (let tries = 0; tries < 100; tries++) {
      const [now] = await run(`.show purges ${purge.OperationId}`);
      if (now.State === 'Completed') break;
      assert.notEqual(now.State, 'Failed', now.StateDetails);
      await new Promise((done) => setTimeout(done, 100));
    }
    assert.equal((await ask(`${table} | count`))[0].Count, 4);
    assert.match((await run(`.show purges ${purge.OperationId}`))[0].StateDetails, /2 rows; proof [0-9a-f]{64}/);
    assert.ok(!(await run(`.drop table ${table}`)).some((t) => t.TableName === table));
    assert.ok([400, 404].includes((await failure(client().executeMgmt(env.ws, `.drop table ${table}`))).status));
  });

  test('functions', async () => {
    const name = unique('CmdF').replace(/[^A-Za-z0-9_]/g, '');
    await run(`.create-or-alter function with (folder='x', docstring='what') ${name}(n:long = 2) { range i from 1 to n step 1 }`);
    assert.equal((await ask(`${name}(3) | count`))[0].Count, 3);
    const [shown] = await run(`.show function ${name}`);
    assert.deepEqual([shown.Folder, shown.DocString, shown.Parameters], ['x', 'what', '(n:long = 2)']);
    await run(`.drop function ${name}`);
  });

  test('what editors ask for at their start', async () => {
    for (const csl of ['.show version', '.show cluster', '.show databases', '.show database schema as json', '.show schema as json', '.show functions',
      '.show external tables', '.show materialized-views', '.show principal access', '.show operations | take 5', '.show queries | take 5',
      '.show commands-and-queries | take 5', '.show capacity', '.show journal | take 1', '.show running queries'])
      assert.ok(Array.isArray(await run(csl)), csl);
    const { error } = await failure(client().executeMgmt(env.ws, '.show tabels'));
    assert.match(error.response.data.error['@message'], /did you mean 'tables'/);
  });

  test('a query is cancelled by its id', async () => {
    const properties = new ClientRequestProperties();
    properties.clientRequestId = unique('cancel');
    const slow = failure(client().execute(env.ws, 'range i from 1 to 2000000000 step 1 | summarize dcount(i * i)', properties));
    let state = 'NotFound';
    for (let tries = 0; tries < 100 && state === 'NotFound'; tries++) {
      await new Promise((done) => setTimeout(done, 50));
      state = (await run(`.cancel query '${properties.clientRequestId}' with (reason='test')`))[0].State;
    }
    assert.equal(state, 'Canceled');
    assert.ok((await slow).error);
  });
});
