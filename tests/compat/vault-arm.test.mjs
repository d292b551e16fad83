// Vaults as resources through @azure/arm-keyvault: made, changed, listed, deleted, recovered, purged, with access policies and nested secrets; and what all
// of it leaves in the audit tables, looked at by the public hunting rules of ../shared/rules that read them.
// Runs in the folder of ../shared/compat/vault, whose packages and helpers it uses. SHARED_RULES: the folder of the rules.
import { after, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import dns from 'node:dns';
import fs from 'node:fs';
import { KeyVaultManagementClient } from '@azure/arm-keyvault';
import { SecretClient } from '@azure/keyvault-secrets';
import { admin, armVaults, boot, https, newPrincipal, sleep, tenant, token, uniq } from './lib.mjs';

// Names below localhost are this machine's (RFC 6761), which not every resolver knows.
const lookup = dns.lookup;
dns.lookup = (host, options, done) => lookup(host.endsWith('.localhost') ? '127.0.0.1' : host, options, done);

const arm = armVaults();
const group = boot.resource_group;
const short = (letter) => `${letter}${Date.now().toString(36)}${Math.floor(Math.random() * 1296).toString(36)}`.slice(0, 24);
const name = short('v'), firm = short('f'), open = short('o'), deployed = short('d');
const sku = { family: 'A', name: 'standard' };
const poll = { updateIntervalInMs: 100 };
const all = async (pages) => { const list = []; for await (const item of pages) list.push(item); return list; };
const fails = (promise, status, code) => assert.rejects(promise, (e) => {
  assert.equal(e.statusCode, status, e.message);
  if (code) assert.equal(e.code ?? e.details?.error?.code, code, e.message);
  return true;
});
const secretsOf = (url, credential = admin) => new SecretClient(url, credential, { disableChallengeResourceVerification: true, retryOptions: { maxRetries: 1 } });
const people = [];
after(async () => {
  for (const p of people) await p.remove().catch(() => {});
  for (const v of [name, firm, open, deployed]) {
    await arm.vaults.delete(group, v).catch(() => {});
    await arm.vaults.beginPurgeDeletedAndWait(v, boot.location).catch(() => {});
  }
});

describe('a vault as a resource', () => {
  it('is made, read, listed and changed', async () => {
    const free = await arm.vaults.checkNameAvailability({ name, type: 'Microsoft.KeyVault/vaults' });
    assert.equal(free.nameAvailable, true);
    const made = await arm.vaults.beginCreateOrUpdateAndWait(group, name, {
      location: boot.location, tags: { team: 'red' },
      properties: { tenantId: tenant, sku, enableRbacAuthorization: false, accessPolicies: [], softDeleteRetentionInDays: 7 },
    }, poll);
    assert.equal(made.name, name);
    assert.match(made.properties.vaultUri, new RegExp(`^https://${name}\\.vault\\..+:\\d+/$`));
    assert.equal(made.properties.provisioningState, 'Succeeded');
    assert.equal(made.properties.softDeleteRetentionInDays, 7);
    assert.equal(made.properties.enableRbacAuthorization, false);
    const read = await arm.vaults.get(group, name);
    assert.equal(read.id, made.id);
    assert.ok((await all(arm.vaults.listByResourceGroup(group))).some((v) => v.id === made.id));
    assert.ok((await all(arm.vaults.listBySubscription({ top: 1 }))).some((v) => v.id === made.id));
    assert.ok((await all(arm.vaults.list())).some((v) => v.id === made.id));
    const changed = await arm.vaults.update(group, name, { tags: { team: 'blue' }, properties: { enabledForDeployment: true } });
    assert.deepEqual([changed.tags.team, changed.properties.enabledForDeployment], ['blue', true]);
    assert.equal((await arm.vaults.checkNameAvailability({ name: name.toUpperCase(), type: 'Microsoft.KeyVault/vaults' })).reason, 'AlreadyExists');
    assert.equal((await all(arm.privateEndpointConnections.listByResource(group, name))).length, 0);
  });
  it('refuses what it must not be', async () => {
    const make = (v, properties) => arm.vaults.beginCreateOrUpdateAndWait(group, v, { location: boot.location, properties: { tenantId: tenant, sku, ...properties } }, poll);
    await fails(make('a--b', {}), 400, 'VaultNameNotValid');
    await fails(make(short('x'), { tenantId: '22222222-2222-3333-4444-555555555555' }), 400);
    await fails(make(short('x'), { softDeleteRetentionInDays: 5 }), 400);
    await fails(make(short('x'), { enableSoftDelete: false }), 400);
    await fails(make(name, { softDeleteRetentionInDays: 8 }), 400);
    await fails(make(short('x'), { networkAcls: { ipRules: [{ value: '300.1.1.1' }] } }), 400);
  });
  it('changes access policies by words', async () => {
    const p = await newPrincipal();
    people.push(p);
    const entry = (permissions) => ({ properties: { accessPolicies: [{ tenantId: tenant, objectId: p.oid, permissions }] } });
    const added = await arm.vaults.updateAccessPolicy(group, name, 'add', entry({ secrets: ['get', 'set'] }));
    assert.equal(added.properties.accessPolicies.length, 1);
    const url = (await arm.vaults.get(group, name)).properties.vaultUri;
    await secretsOf(url, p.credential).setSecret('one', 'first');
    assert.equal((await secretsOf(url, p.credential).getSecret('one')).value, 'first');
    const removed = await arm.vaults.updateAccessPolicy(group, name, 'remove', entry({ secrets: ['set'] }));
    assert.deepEqual(removed.properties.accessPolicies[0].permissions.secrets, ['get']);
    await fails(secretsOf(url, p.credential).setSecret('two', 'second'), 403);
    const replaced = await arm.vaults.updateAccessPolicy(group, name, 'replace', entry({ keys: ['list'] }));
    assert.deepEqual(replaced.properties.accessPolicies[0].permissions.keys, ['list']);
    await fails(secretsOf(url, p.credential).getSecret('one'), 403);
    await arm.vaults.updateAccessPolicy(group, name, 'add', entry({ secrets: ['get', 'delete', 'purge', 'recover'] }));
  });
  it('makes secrets and keys whose values do not come out', async () => {
    const secret = await arm.secrets.createOrUpdate(group, name, 'nested', { properties: { value: 'inner value', contentType: 'text/plain' }, tags: { a: 'b' } });
    assert.equal(secret.properties.value, undefined);
    assert.equal(secret.properties.contentType, 'text/plain');
    assert.match(secret.properties.secretUriWithVersion, /\/secrets\/nested\/[0-9a-f]{32}$/);
    assert.equal((await arm.secrets.get(group, name, 'nested')).tags.a, 'b');
    assert.ok((await all(arm.secrets.list(group, name))).some((s) => s.name === 'nested'));
    const url = (await arm.vaults.get(group, name)).properties.vaultUri;
    assert.equal((await secretsOf(url, people[0].credential).getSecret('nested')).value, 'inner value');
    const key = await arm.keys.createIfNotExist(group, name, 'nested-key', { properties: { kty: 'EC', curveName: 'P-256' } });
    assert.equal(key.kty, 'EC');
    assert.equal(key.curveName, 'P-256');
    const again = await arm.keys.createIfNotExist(group, name, 'nested-key', { properties: { kty: 'RSA' } });
    assert.equal(again.keyUriWithVersion, key.keyUriWithVersion, 'it stays as it is');
    assert.equal((await all(arm.keys.listVersions(group, name, 'nested-key'))).length, 1);
    assert.ok((await all(arm.keys.list(group, name))).some((k) => k.name === 'nested-key'));
  });
  it('comes with its secrets out of a template', async () => {
    const call = async (method, path, body) => {
      const r = await fetch(`${https}/subscriptions/${boot.subscription_id}/resourceGroups/${group}${path}?api-version=2021-04-01`, {
        method, body: body && JSON.stringify(body),
        headers: { authorization: `Bearer ${await token('https://management.azure.com/.default')}`, 'content-type': 'application/json' } });
      return { status: r.status, text: await r.text() };
    };
    const template = {
      $schema: 'https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#', contentVersion: '1.0.0.0',
      parameters: { secret: { type: 'securestring' } },
      resources: [{ type: 'Microsoft.KeyVault/vaults', apiVersion: '2023-07-01', name: deployed, location: boot.location,
        properties: { tenantId: tenant, sku, enableRbacAuthorization: false, accessPolicies: [{ tenantId: tenant, objectId: people[0].oid, permissions: { secrets: ['get'] } }] },
        resources: [{ type: 'secrets', apiVersion: '2023-07-01', name: 'of-template', dependsOn: [`[resourceId('Microsoft.KeyVault/vaults', '${deployed}')]`],
          properties: { value: "[parameters('secret')]" } }] }],
      outputs: { uri: { type: 'string', value: `[reference(resourceId('Microsoft.KeyVault/vaults', '${deployed}'), '2023-07-01').vaultUri]` } },
    };
    const begun = await call('PUT', '/providers/Microsoft.Resources/deployments/vault-test', { properties: { mode: 'Incremental', template, parameters: { secret: { value: 'from outside' } } } });
    assert.ok([200, 201].includes(begun.status), begun.text);
    let state, done;
    for (let i = 0; i < 100 && !['Succeeded', 'Failed'].includes(state); i++) {
      await sleep(200);
      done = await call('GET', '/providers/Microsoft.Resources/deployments/vault-test');
      state = JSON.parse(done.text).properties.provisioningState;
    }
    assert.equal(state, 'Succeeded', done.text.slice(0, 1500));
    assert.ok(!done.text.includes('from outside'), 'values of secure parameters are not shown');
    const url = JSON.parse(done.text).properties.outputs.uri.value;
    assert.equal((await secretsOf(url, people[0].credential).getSecret('of-template')).value, 'from outside');
  });
  it('is deleted softly, recovered with all it held, and purged', async () => {
    const url = (await arm.vaults.get(group, name)).properties.vaultUri;
    await arm.vaults.delete(group, name);
    await fails(arm.vaults.get(group, name), 404);
    await fails(secretsOf(url, people[0].credential).getSecret('one'), 404);
    assert.ok((await all(arm.vaults.listDeleted())).some((v) => v.name === name));
    const gone = await arm.vaults.getDeleted(name, boot.location);
    assert.equal(gone.properties.tags.team, 'blue');
    assert.equal(Math.round((gone.properties.scheduledPurgeDate - gone.properties.deletionDate) / 864e5), 7);
    await fails(arm.vaults.beginCreateOrUpdateAndWait(group, name, { location: boot.location, properties: { tenantId: tenant, sku } }, poll), 409, 'ConflictError');
    await arm.vaults.beginCreateOrUpdateAndWait(group, name, { location: boot.location, properties: { tenantId: tenant, sku, createMode: 'recover' } }, poll);
    assert.equal((await secretsOf(url, people[0].credential).getSecret('one')).value, 'first');
    await arm.vaults.delete(group, name);
    await arm.vaults.beginPurgeDeletedAndWait(name, boot.location, poll);
    await fails(arm.vaults.getDeleted(name, boot.location), 404);
    await arm.vaults.beginCreateOrUpdateAndWait(group, name, { location: boot.location, properties: { tenantId: tenant, sku, enableRbacAuthorization: false, accessPolicies: [
      { tenantId: tenant, objectId: people[0].oid, permissions: { secrets: ['all'] } }] } }, poll);
    await fails(secretsOf(url, people[0].credential).getSecret('one'), 404);
  });
  it('keeps purge protection', async () => {
    await arm.vaults.beginCreateOrUpdateAndWait(group, firm, { location: boot.location, properties: { tenantId: tenant, sku, enablePurgeProtection: true } }, poll);
    await fails(arm.vaults.update(group, firm, { properties: { enablePurgeProtection: false } }), 400);
    await arm.vaults.delete(group, firm);
    await fails(arm.vaults.beginPurgeDeletedAndWait(firm, boot.location, poll), 405);
  });
});

// ---- rows ----------------------------------------------------------------------------------------------------------------------

async function ask(query) {
  const r = await fetch(`${https}/v1/workspaces/${boot.workspace_id}/query`, {
    method: 'POST', body: JSON.stringify({ query }),
    headers: { authorization: `Bearer ${await token('https://api.loganalytics.io/.default')}`, 'content-type': 'application/json' },
  });
  const text = await r.text();
  assert.equal(r.status, 200, text.slice(0, 600));
  const { columns, rows } = JSON.parse(text).tables[0];
  return rows.map((row) => Object.fromEntries(columns.map((c, i) => [c.name, row[i]])));
}
async function until(query, enough) {
  for (let i = 0; i < 50; i++) {
    const rows = await ask(query);
    if (rows.length >= enough) return rows;
    await sleep(200);
  }
  return ask(query);
}

describe('the audit tables', () => {
  it('have a row for each operation, without values', async () => {
    const url = (await arm.vaults.get(group, name)).properties.vaultUri;
    const client = secretsOf(url, people[0].credential);
    await client.setSecret('swept', 'do not log me');
    await client.getSecret('swept');
    await (await client.beginDeleteSecret('swept', { intervalInMs: 100 })).pollUntilDone();
    await client.purgeDeletedSecret('swept');
    const mine = `AZKVAuditLogs | where _ResourceId endswith "/${name}"`;
    const seen = (await until(`${mine} | where OperationName == "SecretPurge"`, 1))[0];
    assert.equal(seen.ResultSignature, 'No Content');
    assert.equal(seen.IsAccessPolicyMatch, true);
    assert.equal(JSON.parse(seen.Identity).claim.oid ?? seen.Identity.claim.oid, people[0].oid);
    const operations = (await ask(`${mine} | distinct OperationName`)).map((r) => r.OperationName);
    for (const wanted of ['VaultPut', 'VaultPatch', 'VaultGet', 'VaultDelete', 'VaultRecover', 'VaultPurge', 'Authentication',
      'SecretSet', 'SecretGet', 'SecretDelete', 'SecretPurge', 'KeyCreate'])
      assert.ok(operations.includes(wanted), `${wanted} is not among ${operations}`);
    for (const table of ['AZKVAuditLogs', 'AzureDiagnostics'])
      for (const value of ['do not log me', 'inner value', 'eyJ'])
        assert.equal((await ask(`search in (${table}) "${value}" | take 1`)).length, 0, `${table}: ${value}`);
    const policies = await ask(`AzureDiagnostics | where Resource =~ "${name}" and isnotempty(addedAccessPolicy_ObjectId_g) | project addedAccessPolicy_ObjectId_g`);
    assert.ok(policies.some((r) => r.addedAccessPolicy_ObjectId_g === people[0].oid));
  });
  it('fire public hunting rules', async (t) => {
    const file = `${process.env.SHARED_RULES}/queries.jsonl`;
    if (!fs.existsSync(file)) return t.skip('no rules');
    const of = (acls) => arm.vaults.beginCreateOrUpdateAndWait(group, open, { location: boot.location, properties: { tenantId: tenant, sku, networkAcls: acls } }, poll);
    await of({ defaultAction: 'Deny' });
    await arm.vaults.update(group, open, { properties: { networkAcls: { defaultAction: 'Deny', ipRules: [{ value: '198.51.100.7' }] } } });
    await arm.vaults.update(group, open, { properties: { networkAcls: { defaultAction: 'Allow' } } });
    await until(`AzureDiagnostics | where Resource =~ "${open}" and OperationName == "VaultPatch"`, 2);
    const rules = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((l) => JSON.parse(l))
      .filter((r) => /AzureDiagnostics/.test(r.query) && /"VAULTS"|MICROSOFT\.KEYVAULT"\s*$|MICROSOFT\.KEYVAULT" *\n/m.test(r.query) && !/MANAGEDHSMS/.test(r.query));
    const fired = [];
    for (const rule of rules) {
      const rows = await ask(rule.query).catch(() => []);
      if (rows.length > 0) fired.push(rule.query);
    }
    for (const [what, pattern] of [['sensitive operations', /SensitiveOperationList/], ['new applications', /rightanti[\s\S]*AppId/],
      ['firewall opened', /NewACL == "Allow"/], ['address added', /addedIpRule_Value_s/], ['changes', /"VaultPut" or/]])
      assert.ok(fired.some((q) => pattern.test(q)), `${what}: did not fire (${fired.length} of ${rules.length} did)`);
  });
});
