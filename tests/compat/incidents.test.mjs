// Recorded attacks through the real clients, with the rules of content/rules put by `ringfort apply` and run on demand: the
// alerts must be those that `ringfort detect` raises for the same rows, and each must stand in one incident.
// Runs in the folder of ../shared/compat/sentinel, whose packages and harness it uses. ATTACKS: the folder of the data
// sets; RINGFORT: the program; RULES: the folder of the rules.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import zlib from 'node:zlib';
import { execFileSync } from 'node:child_process';
import { LogsIngestionClient } from '@azure/monitor-ingestion';
import { SecurityInsights } from '@azure/arm-securityinsight';
import { suite, unique, eventually, collect } from './harness.mjs';

const { ATTACKS: folder, RINGFORT: ringfort, RULES: content, RINGFORT_BOOTSTRAP: bootstrap } = process.env;
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'incidents-'));
process.on('exit', () => fs.rmSync(work, { recursive: true, force: true }));

const sets = ['psh_lsass_memory_dump_comsvcs', 'cmd_sam_copy_esentutl', 'psh_cmstp_execution_bypassuac', 'cmd_bitsadmin_download_psh_script',
  'purplesharp_pe_injection_createremotethread'];
const hour = 3600000;

/** The rules that look at these records; others would miss their tables. */
const rules = fs.readdirSync(content).filter((file) => file.endsWith('.yaml')).map((file) => ({ file, text: fs.readFileSync(`${content}/${file}`, 'utf8') }))
  .filter(({ text }) => /\bWindowsFlat\b/.test(text)).map(({ file, text }) => ({ file, text, id: /^id: *(\S+)/m.exec(text)[1] }));
for (const { file, text } of rules) fs.writeFileSync(`${work}/${file}`, text);

// The columns that rules may name; '@timestamp' is no name for a column of a workspace, so a saved function makes it.
const columns = JSON.parse(fs.readFileSync(`${content}/../schemas/WindowsFlat.json`, 'utf8')).columns.map(({ name, type }) => [name, type])
  .filter(([name]) => name !== '@timestamp' && name !== 'TimeGenerated');

/** The records, moved so that the newest is `end`: rows that are too old would not be taken as late ones. */
function records(dataset, end) {
  const list = zlib.gunzipSync(fs.readFileSync(`${folder}/${dataset}.jsonl.gz`)).toString('utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const time = (r) => Date.parse(r['@timestamp'] ?? `${r.TimeCreated.replace(' ', 'T')}Z`);
  const newest = Math.max(...list.map(time));
  return list.map((r) => {
    const at = new Date(time(r) - newest + end).toISOString();
    const kept = columns.filter(([name]) => r[name] !== undefined).map(([name]) => [name, r[name]]);
    return { ...Object.fromEntries(kept), TimeGenerated: at, TimeCreated: at };
  });
}

/** An entity as one text, whether its identifiers are those of a mapping or those of an alert. */
function entityText(e) {
  const type = (e.Type ?? e.type).toLowerCase();
  const names = {
    host: () => e.FullName ?? [e.HostName, e.DnsDomain].filter(Boolean).join('.'),
    account: () => e.FullName ?? `${e.NTDomain ? `${e.NTDomain}\\` : ''}${e.Name}${e.UPNSuffix ? `@${e.UPNSuffix}` : ''}`,
    process: () => e.CommandLine ?? e.ProcessId,
    ip: () => e.Address,
    file: () => e.Name,
    url: () => e.Url,
  };
  return `${type} ${String(names[type] ? names[type]() : JSON.stringify(e)).toLowerCase()}`;
}
const findings = (pairs) => [...new Set(pairs.flatMap(([rule, entities]) => [rule, ...entities.map((e) => `${rule} ${entityText(e)}`)]))].sort();

suite('incidents of recorded attacks', (env) => {
  const ingest = new LogsIngestionClient(env.origin, env.credential);
  const client = new SecurityInsights(env.credential, env.sub, env.arm);
  let target;

  test('rules are put', { timeout: 120000 }, async () => {
    assert.ok(rules.length > 20, `${rules.length} rules`);
    await env.put(`${env.sentinel}/onboardingStates/default`, '2024-09-01', { properties: {} });
    target = await env.tableAndRule(unique('Incident'), columns);
    await env.put(`${env.wsArm}/savedSearches/WindowsFlat`, '2020-08-01', { properties: { category: 'Function', displayName: 'WindowsFlat', functionAlias: 'WindowsFlat',
      query: `${target.table} | extend ['@timestamp'] = ''`, version: 2 } });
    execFileSync(ringfort, ['apply', '--bootstrap', bootstrap, work]);
    const there = (await collect(client.alertRules.list(env.rg, env.ws))).map((rule) => rule.name);
    for (const { id, file } of rules) assert.ok(there.includes(id), file);
  });

  sets.forEach((dataset, i) => test(dataset, { timeout: 300000 }, async () => {
    // Each set has hours of its own, so that no rule's window sees the one before.
    const end = Math.floor(Date.now() / 1000) * 1000 - (3 + 3 * i) * hour;
    const rows = records(dataset, end);
    const file = `${work}/${dataset}.jsonl`;
    fs.writeFileSync(file, rows.map((r) => JSON.stringify(r)).join('\n'));
    const now = new Date(end + 1000).toISOString();
    const lines = execFileSync(ringfort, ['detect', '--rules', work, '--schemas', `${content}/../schemas`, '--format', 'jsonl', '--now', now, '--file', `${file}=WindowsFlat`],
      { maxBuffer: 1 << 28, stdio: ['ignore', 'pipe', 'ignore'] }).toString('utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
    const want = findings(lines.map((alert) => [alert.rule, alert.entities]));
    assert.ok(want.length > 0, 'the command line finds something');

    await ingest.upload(target.immutableId, target.stream, rows);
    const [{ begun }] = await env.rows('print begun = now()');
    for (const { id } of rules)
      await env.mgmt('POST', `${env.sentinel}/alertRules/${id}/triggerRuleRun`, '2024-10-01-preview', { properties: { executionTimeUtc: now } });
    let health = [];
    await eventually(async () => {
      health = await env.rows(`SentinelHealth | where TimeGenerated > datetime(${begun}) | where todatetime(parse_json(ExtendedProperties).QueryEndTimeUTC) == datetime(${now}) | summarize take_any(Status, Description) by SentinelResourceId`);
      return health.length >= rules.length;
    }, { timeout: 200000, what: 'the end of all runs' });
    assert.deepEqual(health.filter((run) => run.Status !== 'Success'), []);
    await eventually(async () => {
      const alerts = await env.rows(`SecurityAlert | where TimeGenerated > datetime(${begun}) | project SystemAlertId, AlertType, Entities`);
      const got = findings(alerts.map((alert) => [alert.AlertType.slice(alert.AlertType.indexOf('_') + 1), JSON.parse(alert.Entities)]));
      if (got.length < want.length) return false;
      assert.deepEqual(got, want);
      const named = await env.rows('SecurityIncident | summarize arg_max(LastModifiedTime, AlertIds) by IncidentName | mv-expand a = parse_json(AlertIds) | project a = tostring(a)');
      for (const { SystemAlertId } of alerts) assert.equal(named.filter(({ a }) => a === SystemAlertId).length, 1, 'one incident has the alert');
      return true;
    }, { timeout: 20000, what: `the alerts ${want.join('; ')}` });
  }));
});
