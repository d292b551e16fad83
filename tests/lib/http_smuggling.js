// Compares our reader of HTTP (argv[2], tests/http_messages.c) with llhttp; argv[3] mutations beside the known tricks.
'use strict';
const { spawnSync } = require('child_process');
const { HTTPParser } = require('_http_common');

const H = 'Host: a\r\n';
const post = (headers, body) => `POST /p HTTP/1.1\r\n${H}${headers}\r\n${body}`;
const next = `GET /next HTTP/1.1\r\n${H}\r\n`;

// Each hides a second request, or an end, from one of two readers that differ.
const tricks = [
  post('Content-Length: 5\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n' + next),
  post('Transfer-Encoding: chunked\r\nContent-Length: 5\r\n', '0\r\n\r\n' + next),
  post('Content-Length: 3\r\nContent-Length: 5\r\n', 'abc' + next),
  post('Content-Length: 3\r\nContent-Length: 3\r\n', 'abc' + next),
  post('Content-Length: 3, 3\r\n', 'abc' + next),
  ...['+3', '-3', '0x3', '3 ', ' 3', '3\t', '3;', '3.0', '1e1', '', '\u00b3', '18446744073709551619', '9223372036854775811', '0003',
    '0000000000000000000000000000003'].map((n) => post(`Content-Length: ${n}\r\n`, 'abc' + next)),
  ...['xchunked', 'chunked, identity', 'identity, chunked', 'chunked, chunked', 'identity', '"chunked"', 'chunked;', 'Chunked',
    'chunked\t', '\x0bchunked', '\x00chunked', 'chunk\x00ed', 'x: chunked', ',chunked', 'chunked,', 'gzip, chunked', ''].map((c) =>
    post(`Transfer-Encoding: ${c}\r\n`, '3\r\nabc\r\n0\r\n\r\n' + next)),
  ...['Transfer-Encoding : chunked', 'Transfer-Encoding\t: chunked', ' Transfer-Encoding: chunked', 'Transfer-Encoding\x0b: chunked',
    'Transfer_Encoding: chunked', 'X: y\r\n Transfer-Encoding: chunked', 'X: y\nTransfer-Encoding: chunked', 'X: y\rTransfer-Encoding: chunked',
    'Transfer-Encoding:\r\n chunked', 'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked', 'transfer-encoding:chunked',
    'Transfer-Encoding\x00: chunked', ': chunked', 'Transfer-Encoding'].map((line) =>
    post(line + '\r\n', '3\r\nabc\r\n0\r\n\r\n' + next)),
  ...['3 ', ' 3', '3\t', '+3', '0x3', '3;', '3;a', '3;a=b', '3;a="\r\n"', '3 ;a', '3\n', '3\r', '03', '0000000000000003', '00000000000000003',
    '10000000000000003', 'fffffffffffffffd', 'g', '', '3,3', '3;\x00', '3;\xff', '3;a\nb'].map((s) =>
    post('Transfer-Encoding: chunked\r\n', `${s}\r\nabc\r\n0\r\n\r\n` + next)),
  ...['3\r\nabc0\r\n\r\n', '3\r\nabcX\r\n0\r\n\r\n', '3\r\nabc\n0\r\n\r\n', '3\r\nabc\r0\r\n\r\n', '3\nabc\r\n0\r\n\r\n', '3\r\nabc\r\n0\r\n',
    '3\r\nabc\r\n0\r\nX: y\r\n\r\n', '3\r\nabc\r\n0\r\nX\r\n\r\n', '3\r\nabc\r\n0\r\n X: y\r\n\r\n', '3\r\nabc\r\n0\r\nX: y\n\r\n',
    '3\r\nabc\r\n0\r\nContent-Length: 40\r\n\r\n', '3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n', '3\r\nabc\r\n0\r\n\n', '3\r\nabc\r\n0\n\r\n',
    '0\r\n\r\n', '00\r\n\r\n', '3\r\nabc\r\n\r\n'].map((b) => post('Transfer-Encoding: chunked\r\n', b + next)),
  ...['GET / HTTP/1.1\n', 'GET / HTTP/1.1\r', 'GET  / HTTP/1.1\r\n', 'GET / HTTP/1.1 \r\n', 'GET /\tHTTP/1.1\r\n', 'GET / HTTP/1.1\x00\r\n', ' GET / HTTP/1.1\r\n',
    'GET / HTTP/1.2\r\n', 'GET / HTTP/01.1\r\n', 'GET / HTTP/1.10\r\n', 'GET / http/1.1\r\n', 'GET / HTTP/2.0\r\n', 'GET /\r\n', 'GET / HTTP/1.1\r\n\r\n\r\n',
    'get / HTTP/1.1\r\n', 'GE\x00T / HTTP/1.1\r\n', '\r\nGET / HTTP/1.1\r\n', '\nGET / HTTP/1.1\r\n', '\r\n\r\n\r\nGET / HTTP/1.1\r\n', 'GET /\x00 HTTP/1.1\r\n',
    'GET /a b HTTP/1.1\r\n', 'GET /#f HTTP/1.1\r\n', 'GET /\\ HTTP/1.1\r\n', 'GET http://b/ HTTP/1.1\r\n', 'GET //b/ HTTP/1.1\r\n', 'OPTIONS * HTTP/1.1\r\n',
    'GET / HTTP/0.9\r\n', 'GET / HTTP/1.0\r\n'].map((line) => line + H + '\r\n' + next),
  `GET / HTTP/1.1\r\n${H}${H}\r\n` + next,
  `GET / HTTP/1.1\r\n\r\n` + next,
  `GET / HTTP/1.1\r\nHost: a, b\r\n\r\n` + next,
  `GET / HTTP/1.1\r\n${H}Content-Length: 3\r\n\r\nabc` + next,
  `GET / HTTP/1.1\r\n${H}Connection: close\r\n\r\n` + next,
  `POST / HTTP/1.0\r\n${H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n` + next,
  `HEAD / HTTP/1.1\r\n${H}Content-Length: 3\r\n\r\nabc` + next,
];

// Seeded, so that a failure comes again.
let state = 88172645463325252n;
function below(n) {
  state ^= (state << 13n) & 0xffffffffffffffffn;
  state ^= state >> 7n;
  state ^= (state << 17n) & 0xffffffffffffffffn;
  return Number(state % BigInt(n));
}
const pick = (list) => list[below(list.length)];
const noise = ['\r\n', '\n', '\r', ' ', '\t', ':', ';', ',', '\0', '\x0b', '\x7f', '\xff', '0', '3', 'a', '"', '=', '\r\n\r\n', 'chunked', '0\r\n\r\n', 'Content-Length: 3\r\n',
  'Transfer-Encoding: chunked\r\n', ' HTTP/1.1\r\n', 'GET /m HTTP/1.1\r\nHost: a\r\n\r\n', '-', '+', 'x', '#'];
function mutate(text) {
  for (let n = 1 + below(3); n > 0; n--) {
    const at = below(text.length + 1);
    const kind = below(4);
    if (kind === 0) text = text.slice(0, at) + pick(noise) + text.slice(at);
    else if (kind === 1) text = text.slice(0, at) + text.slice(at + 1 + below(3));
    else if (kind === 2) text = text.slice(0, at) + pick(noise) + text.slice(at + 1);
    else text = text.slice(0, at) + text.slice(below(text.length + 1));
  }
  return text;
}

const cases = tricks.slice();
for (let i = 0; i < Number(process.argv[3]); i++) cases.push(mutate(pick(tricks)));

// What llhttp makes of the bytes, in the same form as ours.
function other(bytes) {
  const messages = [];
  const parser = new HTTPParser();
  parser.initialize(HTTPParser.REQUEST, {}, 0, HTTPParser.kLenientNone);
  parser[HTTPParser.kOnHeadersComplete] = (major, minor, headers, method, url) => {
    messages.push([url, '', 'cut']);
    return 0;
  };
  parser[HTTPParser.kOnBody] = (body) => { messages[messages.length - 1][1] += body.toString('hex'); };
  parser[HTTPParser.kOnMessageComplete] = () => { messages[messages.length - 1].length = 2; };
  const result = parser.execute(bytes);
  parser.close();
  return { messages, end: result instanceof Error ? `${result.code}: ${result.reason}` : 'fine' };
}

const buffers = cases.map((text) => Buffer.from(text, 'latin1'));
const input = Buffer.concat(buffers.flatMap((bytes) => {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(bytes.length);
  return [length, bytes];
}));
const ran = spawnSync(process.argv[2], { input, maxBuffer: 1 << 30 });
if (ran.status !== 0) throw new Error(`${process.argv[2]} ended with ${ran.status} ${ran.signal} ${ran.stderr}`);
const lines = ran.stdout.toString('latin1').trim().split('\n');
if (lines.length !== cases.length) throw new Error(`${lines.length} answers to ${cases.length} cases`);

let bad = 0;
let taken = 0;
const stricter = new Map();
lines.forEach((line, i) => {
  const ours = JSON.parse(line);
  const theirs = other(buffers[i]);
  ours.messages.forEach((message, n) => {
    const wanted = JSON.stringify(message);
    // A cut message has no end yet: what came of its body must agree as far as both went.
    const that = theirs.messages[n] || [];
    const agrees = message.length === 3
      ? that[0] === message[0] && (message[1].startsWith(that[1]) || that[1].startsWith(message[1]))
      : JSON.stringify(that) === wanted;
    taken++;
    if (agrees) return;
    bad++;
    if (bad <= 10) console.log(`${JSON.stringify(cases[i])}\n  ours ${line}\n  llhttp ${JSON.stringify(theirs)}`);
  });
  if (typeof ours.end === 'number' && theirs.end === 'fine') stricter.set(ours.why, (stricter.get(ours.why) || 0) + 1);
});
console.log(`${cases.length} cases, ${taken} messages taken, ${bad} of them otherwise by llhttp ${process.versions.llhttp}`);
console.log('refused by ours alone:');
for (const [why, count] of [...stricter].sort((a, b) => b[1] - a[1])) console.log(`  ${count} ${why}`);
process.exit(bad === 0 && taken > 1000 ? 0 : 1);
