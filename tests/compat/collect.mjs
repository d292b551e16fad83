// tests/compat/collect.mjs BOOTSTRAP CA_PEM - makes listeners and a key as an administrator would, then sends logs, a span and a
// metric by OpenTelemetry's own exporters and events as Splunk's clients do. Packages: @opentelemetry/exporter-*-otlp-*.
import * as zlib from 'node:zlib';
import { readFileSync } from 'node:fs';

const { gzipSync, deflateSync, zstdCompressSync } = zlib;

const boot = JSON.parse(readFileSync(process.argv[2], 'utf8'));
const devicesCa = readFileSync(process.argv[3], 'utf8');
const group = `/subscriptions/${boot.subscription_id}/resourceGroups/${boot.resource_group}`;
const workspace = `${group}/providers/Microsoft.OperationalInsights/workspaces/${boot.workspace_name}`;

async function call(method, url, headers, body) {
  const answer = await fetch(url, { method, headers, body });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${method} ${url}: ${answer.status} ${text}`);
  return text === '' ? {} : JSON.parse(text);
}

const { access_token: token } = await call('POST', `${boot.https}/${boot.tenant_id}/oauth2/v2.0/token`,
  { 'content-type': 'application/x-www-form-urlencoded' },
  new URLSearchParams({ grant_type: 'client_credentials', client_id: boot.client_id,
    client_secret: boot.client_secret, scope: 'https://management.azure.com/.default' }).toString());

function arm(method, path, properties) {
  return call(method, `${boot.https}${group}/providers/Ringfort.Collect/${path}?api-version=2026-01-01`,
    { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
    properties === undefined ? undefined : JSON.stringify({ properties }));
}

await arm('PUT', 'listeners/lan', { protocol: 'syslog-tcp', workspaceResourceId: workspace, allowedAddresses: ['127.0.0.1'] });
await arm('PUT', 'listeners/udp', { protocol: 'syslog-udp', workspaceResourceId: workspace, allowedAddresses: ['127.0.0.0/8'] });
await arm('PUT', 'listeners/devices', { protocol: 'syslog-tls', workspaceResourceId: workspace, trustedCertificates: devicesCa, subjects: ['rs1'] });
await arm('PUT', 'tokens/agents', { workspaceResourceId: workspace });
const { secret } = await arm('POST', 'tokens/agents/regenerateKey');

const headers = { authorization: `Bearer ${secret}` };
for (const form of ['http', 'proto']) {
  let OTLPLogExporter, LoggerProvider, SimpleLogRecordProcessor;
  try {
    ({ OTLPLogExporter } = await import(`@opentelemetry/exporter-logs-otlp-${form}`));
    ({ LoggerProvider, SimpleLogRecordProcessor } = await import('@opentelemetry/sdk-logs'));
  } catch (error) {
    console.log(`no exporter: ${error.message}`);
    process.exit(77);
  }
  const exporter = new OTLPLogExporter({ url: `${boot.https}/v1/logs`, headers, compression: form === 'proto' ? 'gzip' : 'none' });
  const provider = new LoggerProvider({ processors: [new SimpleLogRecordProcessor(exporter)] });
  provider.getLogger('compat').emit({ severityNumber: 17, severityText: 'ERROR', body: `sent by ${form}`,
    attributes: { number: 7, list: ['a', 'b'], nested: { deep: true } } });
  await provider.forceFlush();
  await provider.shutdown();
}

await call('POST', `${boot.https}/services/collector/event`, { authorization: `Splunk ${secret}` },
  JSON.stringify({ event: { sent: 'by hec' }, host: 'h1' }) + JSON.stringify({ event: 'second' }));

// As Fluent Bit's http output sends by default: [[time, {}], {Computer: 'fluent'}], here packed with gzip.
const events = Buffer.concat([Buffer.from([0x92, 0x92, 0xd7, 0x00]), Buffer.from([0x5d, 0x67, 0xc0, 0x80, 0, 0, 0, 0]), Buffer.from([0x80, 0x81, 0xa8]),
  Buffer.from('Computer'), Buffer.from([0xa6]), Buffer.from('fluent')]);
await call('POST', `${boot.https}/collect/tables/Heartbeat`, { authorization: `Bearer ${secret}`, 'content-type': 'application/msgpack', 'content-encoding': 'gzip' },
  gzipSync(events));
// And as Vector's does: a list, packed with zstd where Node can.
const list = JSON.stringify([{ timestamp: '2019-08-29T12:09:36Z', Computer: 'vector' }]);
await call('POST', `${boot.https}/collect/tables/Heartbeat?time=timestamp`, { authorization: `Bearer ${secret}`, 'content-type': 'application/json',
  'content-encoding': zstdCompressSync ? 'zstd' : 'deflate' }, zstdCompressSync ? zstdCompressSync(list) : deflateSync(list));
console.log('sent');
