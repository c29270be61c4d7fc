// The dashboard reads /metrics, the same text that Prometheus reads, and shows what
// an operator looks for first. It keeps nothing but the reading before, for rates.
'use strict';

const every = 2000; // ms between two readings

const now = [
  ['subscribers', 'comet_subscribers'],
  ['channels', 'comet_channels'],
  ['connections at most', 'comet_connections_limit'],
  ['channels at most', 'comet_channels_limit'],
  ['resident memory, MB', 'process_resident_memory_bytes', 1e6],
];
const rates = [
  ['requests', 'comet_requests_total'],
  ['messages published', 'comet_messages_published_total'],
  ['deliveries', 'comet_deliveries_total'],
  ['bytes sent', 'comet_sent_bytes_total'],
  ['connections opened', 'comet_connections_opened_total'],
  ['CPU, % of a core', 'process_cpu_seconds_total', 0.01],
];

// parse reads the text: a list of {name, labels, value}.
function parse(text) {
  const all = [];
  for (const line of text.split('\n')) {
    const m = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (!m) continue;
    const labels = {};
    for (const [, key, value] of (m[2] || '').matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[key] = value;
    all.push({name: m[1], labels, value: Number(m[3])});
  }
  return all;
}

// sum adds up what has that name, whatever its labels.
function sum(all, name) {
  return all.reduce((n, s) => s.name === name ? n + s.value : n, 0);
}

function number(n) {
  return n.toLocaleString('en', {maximumFractionDigits: n < 10 ? 1 : 0});
}

// show replaces the rows of a table: [what, value].
function show(id, rows) {
  const body = document.createElement('tbody');
  for (const [what, value] of rows) {
    const row = body.insertRow();
    row.insertCell().textContent = what;
    row.insertCell().textContent = number(value);
  }
  const table = document.getElementById(id);
  for (const old of table.tBodies) old.remove();
  table.append(body);
}

// labelled are rows of what has that name, by one label, and not 0.
function labelled(all, name, label, before) {
  return all.filter(s => s.name === name && s.value > 0).map(s => [before + s.labels[label].replaceAll('_', ' '), s.value]);
}

let last = null;

async function look() {
  const state = document.getElementById('state');
  try {
    const reply = await fetch('/metrics', {cache: 'no-store'});
    if (!reply.ok) throw new Error(`/metrics answers ${reply.status}`);
    const reading = {at: performance.now(), all: parse(await reply.text())};
    const {all} = reading;
    const build = all.find(s => s.name === 'comet_build_info');
    if (build) document.getElementById('build').textContent = `${build.labels.version}, ${build.labels.engine}, ${sum(all, 'comet_loops')} loops`;
    show('now', [
      ...now.map(([what, name, unit]) => [what, sum(all, name) / (unit || 1)]),
      ...labelled(all, 'comet_connections', 'state', 'connections: '),
      ...labelled(all, 'comet_memory_bytes', 'arena', 'bytes of '),
    ]);
    if (last) {
      const seconds = (reading.at - last.at) / 1000;
      show('rates', rates.map(([what, name, unit]) => [what, (sum(all, name) - sum(last.all, name)) / seconds / (unit || 1)]));
    }
    show('losses', [
      ...labelled(all, 'comet_drops_total', 'cause', ''),
      ...labelled(all, 'comet_timeouts_total', 'kind', 'timeout: '),
    ]);
    last = reading;
    state.className = '';
    state.textContent = `read at ${new Date().toLocaleTimeString()}, each ${every / 1000} s`;
  } catch (err) {
    state.className = 'old';
    state.textContent = `what stands here is old: ${err.message}`;
  }
  setTimeout(look, every);
}

look();
