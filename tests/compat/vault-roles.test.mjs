// Who may what in which vault, asked by the SDK's own clients: each built-in role and each operation, at a vault where the role is held and at one where it is not.
// Runs in the folder of ../shared/compat/vault, whose packages and helpers it uses.
import { after, before, describe, it } from 'node:test';
import assert from 'node:assert/strict';
import dns from 'node:dns';
import { randomBytes } from 'node:crypto';
import { CertificateClient } from '@azure/keyvault-certificates';
import { CryptographyClient, KeyClient } from '@azure/keyvault-keys';
import { SecretClient } from '@azure/keyvault-secrets';
import { admin, armVaults, assign, boot, newPrincipal, roles, tenant } from './lib.mjs';

// Names below localhost are this machine's (RFC 6761), which not every resolver knows.
const lookup = dns.lookup;
dns.lookup = (host, options, done) => lookup(host.endsWith('.localhost') ? '127.0.0.1' : host, options, done);

const arm = armVaults(), group = boot.resource_group;
const short = (letter) => `${letter}${Date.now().toString(36)}${Math.floor(Math.random() * 1296).toString(36)}`.slice(0, 24);
const names = [short('m'), short('n')];
const vaults = []; // {id, url}
const people = [];
const options = { disableChallengeResourceVerification: true, retryOptions: { maxRetries: 1, retryDelayInMs: 50 } };
const clients = (url, c = admin) => ({ secrets: new SecretClient(url, c, options), keys: new KeyClient(url, c, options), certs: new CertificateClient(url, c, options), crypto: (id) => new CryptographyClient(id, c, options) });
const first = async (pages) => { for await (const item of pages) return item; };
const policy = { issuerName: 'Self', subject: 'CN=matrix' };

// Operation: what is called. Those that change something name an object that is not there, so that nothing changes: behind the check of rights it is 404 or 409.
const remote = (name, method) => (v, c) => c.crypto(`${v.url}keys/k/${v.keyVersion}`)[method](...name);
const operations = {
  'secrets/get': (v, c) => c.secrets.getSecret('s'),
  'secrets/list': (v, c) => first(c.secrets.listPropertiesOfSecrets()),
  'secrets/versions': (v, c) => first(c.secrets.listPropertiesOfSecretVersions('s')),
  'secrets/deleted': (v, c) => first(c.secrets.listDeletedSecrets()),
  'secrets/set': (v, c) => c.secrets.setSecret('s', 'value'),
  'secrets/update': (v, c) => c.secrets.updateSecretProperties('absent', '0123456789abcdef0123456789abcdef', { enabled: true }),
  'secrets/delete': (v, c) => c.secrets.beginDeleteSecret('absent'),
  'secrets/recover': (v, c) => c.secrets.beginRecoverDeletedSecret('absent'),
  'secrets/purge': (v, c) => c.secrets.purgeDeletedSecret('absent'),
  'secrets/backup': (v, c) => c.secrets.backupSecret('s'),
  'secrets/restore': (v, c) => c.secrets.restoreSecretBackup(randomBytes(64)),
  'keys/get': (v, c) => c.keys.getKey('k'),
  'keys/list': (v, c) => first(c.keys.listPropertiesOfKeys()),
  'keys/create': (v, c) => c.keys.createKey('k', 'EC', { curve: 'P-256' }),
  'keys/import': (v, c) => c.keys.importKey('absent', { kty: 'EC', crv: 'P-256', x: randomBytes(32), y: randomBytes(32), d: randomBytes(32) }),
  'keys/update': (v, c) => c.keys.updateKeyProperties('k', v.keyVersion, { tags: { a: 'b' } }),
  'keys/delete': (v, c) => c.keys.beginDeleteKey('absent'),
  'keys/purge': (v, c) => c.keys.purgeDeletedKey('absent'),
  'keys/recover': (v, c) => c.keys.beginRecoverDeletedKey('absent'),
  'keys/backup': (v, c) => c.keys.backupKey('k'),
  'keys/restore': (v, c) => c.keys.restoreKeyBackup(randomBytes(64)),
  'keys/rotate': (v, c) => c.keys.rotateKey('k'),
  'keys/policy get': (v, c) => c.keys.getKeyRotationPolicy('k'),
  'keys/policy set': (v, c) => c.keys.updateKeyRotationPolicy('k', { lifetimeActions: [{ action: 'Rotate', timeAfterCreate: 'P90D' }] }),
  'keys/random': (v, c) => c.keys.getRandomBytes(8),
  'keys/sign': remote(['RS256', randomBytes(32)], 'sign'),
  'keys/decrypt': remote([{ algorithm: 'RSA-OAEP', ciphertext: randomBytes(256) }], 'decrypt'),
  'keys/unwrap': remote(['RSA-OAEP', randomBytes(256)], 'unwrapKey'),
  'certs/get': (v, c) => c.certs.getCertificate('c'),
  'certs/list': (v, c) => first(c.certs.listPropertiesOfCertificates()),
  'certs/policy': (v, c) => c.certs.getCertificatePolicy('c'),
  'certs/create': (v, c) => c.certs.beginCreateCertificate('c', policy),
  'certs/import': (v, c) => c.certs.importCertificate('absent', Buffer.from('no certificate')),
  'certs/update': (v, c) => c.certs.updateCertificateProperties('absent', '0123456789abcdef0123456789abcdef', { enabled: true }),
  'certs/delete': (v, c) => c.certs.beginDeleteCertificate('absent'),
  'certs/purge': (v, c) => c.certs.purgeDeletedCertificate('absent'),
  'certs/backup': (v, c) => c.certs.backupCertificate('c'),
  'certs/issuers': (v, c) => first(c.certs.listPropertiesOfIssuers()),
  'certs/issuer set': (v, c) => c.certs.createIssuer('matrix', 'Test'),
  'certs/contacts set': (v, c) => c.certs.setContacts([{ email: 'a@contoso.example' }]),
};
const all = Object.keys(operations), of = (kind) => all.filter((name) => name.startsWith(`${kind}/`));
const may = {
  administrator: all,
  secretsOfficer: of('secrets'),
  secretsUser: ['secrets/get', 'secrets/list', 'secrets/versions', 'secrets/deleted'],
  cryptoOfficer: of('keys'),
  cryptoUser: ['keys/get', 'keys/list', 'keys/update', 'keys/backup', 'keys/sign', 'keys/decrypt', 'keys/unwrap', 'keys/random'],
  encryptionUser: ['keys/get', 'keys/list', 'keys/unwrap', 'keys/random'],
  certificatesOfficer: of('certs'),
  certificateUser: ['certs/get', 'certs/list', 'certs/policy', 'secrets/get', 'secrets/list', 'secrets/versions', 'secrets/deleted', 'keys/get', 'keys/list', 'keys/random'],
  reader: ['secrets/list', 'secrets/versions', 'secrets/deleted', 'keys/get', 'keys/list', 'keys/policy get', 'keys/random', 'certs/get', 'certs/list', 'certs/policy', 'certs/issuers'],
  contributor: [],
};

before(async () => {
  for (const name of names) {
    const made = await arm.vaults.beginCreateOrUpdateAndWait(group, name, { location: boot.location, properties: { tenantId: tenant, sku: { family: 'A', name: 'standard' }, enableRbacAuthorization: true } }, { updateIntervalInMs: 100 });
    const vault = { id: made.id, url: made.properties.vaultUri };
    await assign(await owner(), roles.administrator, made.id).catch((e) => { if (e.statusCode !== 409) throw e; });
    const c = clients(vault.url);
    await c.secrets.setSecret('s', 'value');
    vault.keyVersion = (await c.keys.createRsaKey('k', { keySize: 2048 })).properties.version;
    await (await c.certs.beginCreateCertificate('c', policy, { intervalInMs: 150 })).pollUntilDone();
    vaults.push(vault);
  }
});
after(async () => {
  for (const p of people) await p.remove().catch(() => {});
  for (const v of names) {
    await arm.vaults.delete(group, v).catch(() => {});
    await arm.vaults.beginPurgeDeletedAndWait(v, boot.location).catch(() => {});
  }
});
/** The object id of whom the tests run as. */
async function owner() {
  const { token } = await admin.getToken('https://vault.azure.net/.default');
  return JSON.parse(Buffer.from(token.split('.')[1], 'base64url')).oid;
}
/** "no" when the vault refuses for want of a right; else "yes", whatever else is said. */
async function ask(vault, credential, name) {
  try {
    await operations[name](vault, clients(vault.url, credential));
    return 'yes';
  } catch (e) {
    if (e.statusCode === undefined) throw e;
    if (e.statusCode !== 403) return 'yes';
    assert.equal(e.details?.error?.innererror?.code ?? e.details?.error?.innerError?.code ?? 'ForbiddenByRbac', 'ForbiddenByRbac', `${name}: ${e.message}`);
    return 'no';
  }
}

describe('roles, operations, vaults', () => {
  for (const [role, allowed] of Object.entries(may)) it(role, async () => {
    const person = await newPrincipal();
    people.push(person);
    await assign(person.oid, roles[role], vaults[0].id);
    const wrong = [];
    for (const name of all) {
      const here = await ask(vaults[0], person.credential, name), there = await ask(vaults[1], person.credential, name);
      if (here !== (allowed.includes(name) ? 'yes' : 'no')) wrong.push(`${name}: ${here} in its vault`);
      if (there !== 'no') wrong.push(`${name}: ${there} in the other vault`);
    }
    assert.deepEqual(wrong, []);
  });
  it('nobody without a role', async () => {
    const person = await newPrincipal();
    people.push(person);
    for (const vault of vaults) for (const name of all) assert.equal(await ask(vault, person.credential, name), 'no', name);
  });
});
