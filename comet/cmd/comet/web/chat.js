// The demo's page: ?room=NAME chooses the room, &name=NAME who speaks, and
// &mode=poll the long-poll in place of server-sent events.
(async function () {
  'use strict';
  const query = new URLSearchParams(location.search);
  const room = query.get('room') || 'lobby';
  const log = document.getElementById('log');
  const state = document.getElementById('state');
  const form = document.getElementById('form');
  const nameInput = document.getElementById('name');
  nameInput.value = query.get('name') || 'guest-' + Math.floor(Math.random() * 1000);
  document.getElementById('room').textContent = room;
  document.title = room + ' - chat over comet';

  // add appends a line. Text goes in as text, never as HTML.
  function add(kind, text, who) {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
    const li = document.createElement('li');
    li.className = kind;
    if (who !== undefined) {
      const span = document.createElement('span');
      span.className = 'who';
      span.textContent = who;
      li.append(span);
    }
    const span = document.createElement('span');
    span.className = kind === 'note' ? '' : 'text';
    span.textContent = text;
    li.append(span);
    log.append(li);
    if (atEnd) log.scrollTop = log.scrollHeight;
  }

  // said reads a message; what another program pushed is shown as it is.
  function said(content) {
    try {
      const m = JSON.parse(content);
      if (typeof m.name === 'string' && typeof m.text === 'string') return m;
    } catch (e) { /* not ours */ }
    return {name: 'somebody', text: content};
  }

  const words = {
    connecting: () => 'connecting',
    open: () => 'connected',
    waiting: d => 'lost, again in ' + (d.delay / 1000).toFixed(1) + ' s',
    denied: () => 'not allowed',
    closed: () => 'the room was closed',
  };

  form.addEventListener('submit', async event => {
    event.preventDefault();
    const text = form.text.value;
    form.text.value = '';
    try {
      const r = await fetch('push', {method: 'POST', body: new URLSearchParams({room, name: nameInput.value, text})});
      if (!r.ok) throw new Error(await r.text());
    } catch (e) {
      add('note', 'Not sent: ' + e.message);
      if (!form.text.value) form.text.value = text;
    }
  });

  const {front, channel} = await (await fetch('where?' + new URLSearchParams({room}))).json();
  window.subscription = Comet.subscribe({
    url: front,
    channel,
    seq: 1, // with all that the history holds
    mode: query.get('mode') || '',
    onmessage(m) {
      const {name, text} = said(m.content);
      add(name === nameInput.value ? 'mine' : 'other', text, name + ' · ' + m.seq);
    },
    onstate(name, detail) {
      state.dataset.state = name;
      state.textContent = words[name](detail);
    },
    onlost({reason, wanted, next}) {
      add('note', reason === 'restart'
        ? 'The server began anew; what it had not yet delivered is lost.'
        : 'No longer held: messages ' + wanted + ' to ' + (next - 1) + '.');
    },
  });
})();
