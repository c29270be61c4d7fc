/*
 * A client of the comet server for browsers: one file, no dependencies.
 *
 *   <script src="comet.js"></script>
 *   const sub = Comet.subscribe({
 *     url: 'http://127.0.0.1:8100',      // the front door; an array: one of them each time
 *     channel: 'news',
 *     onmessage(m) { ... },              // {type: 'data' or 'broadcast', cname, seq, content}
 *   });
 *   sub.close();                         // stops everything; nothing is called afterwards
 *
 * Options, all but url and channel optional:
 *   seq, epoch  where to begin: the next wanted number and the channel instance
 *               it belongs to, as sub.position gave them before; seq 1 is all
 *               that the history holds, 0 (the default) only what comes now
 *   mode        'sse' or 'poll'; without it sse where there is EventSource
 *   token       what /sign gave, or a function that returns (a promise of) one:
 *               it is asked before each connect
 *   onstate     (state, detail): 'connecting', 'open', 'waiting' (detail.delay in
 *               ms, detail.reason), and, after which nothing more comes: 'denied'
 *               (401 to a token that is not a function), 'closed' (by a publisher)
 *   onlost      ({reason, wanted, next}): messages from wanted on are lost and it
 *               goes on at next. reason 'gap': the history no longer held them.
 *               'restart': the server or the channel began anew, numbers too
 *   retryMin, retryMax   ms between attempts: doubled from 500 up to 30000, each
 *               drawn from its upper half, so that clients do not return at once
 *   silence     ms without a byte after which a connection counts as dead; it
 *               must exceed the server's polling timeout (90000 for its 30 s)
 *
 * Messages are given in order and once, over reconnects too, as far as the
 * server's history holds them: it is in memory, and gone when the server ends.
 */
(function (root) {
  'use strict';

  const defaults = {seq: 0, epoch: '', retryMin: 500, retryMax: 30000, silence: 90000};

  class Subscription {
    constructor(options) {
      this.o = Object.assign({}, defaults, options);
      this.urls = [].concat(this.o.url);
      this.mode = this.o.mode || (root.EventSource ? 'sse' : 'poll');
      this.position = {seq: this.o.seq, epoch: this.o.epoch};
      this.noops = 0;
      this.tries = 0;
      this.attempt = null; // the connection under way: an AbortController
      this.online = () => { if (this.timer) this.connect(); };
      if (root.addEventListener) root.addEventListener('online', this.online);
      this.connect();
    }

    close() { this.end(null); }

    // end stops for good; a state says why.
    end(state) {
      this.ended = true;
      this.drop();
      clearTimeout(this.timer);
      if (root.removeEventListener) root.removeEventListener('online', this.online);
      if (state) this.tell('onstate', state, {});
    }

    // drop ends the connection under way, if there is one.
    drop() {
      clearTimeout(this.watchdog);
      if (this.attempt) this.attempt.abort();
      this.attempt = null;
    }

    // tell calls the application. What it throws is its own affair and must not
    // end the subscription.
    tell(name, ...args) {
      try {
        if (this.o[name]) this.o[name](...args);
      } catch (e) {
        setTimeout(() => { throw e; });
      }
    }

    async connect() {
      clearTimeout(this.timer);
      this.timer = null;
      this.drop();
      const attempt = this.attempt = new AbortController();
      this.since = Date.now();
      this.tell('onstate', 'connecting', {});
      if (attempt !== this.attempt) return;
      this.alive();
      try {
        const base = this.urls[Math.floor(Math.random() * this.urls.length)];
        const token = typeof this.o.token === 'function' ? await this.o.token() : this.o.token;
        const at = {base, token, attempt};
        // With sse and no number, the first event tells number and epoch.
        if (this.mode === 'poll' || this.position.seq && !this.position.epoch) await this.greet(at);
        if (attempt !== this.attempt) return;
        await (this.mode === 'poll' ? this.poll(at) : this.listen(at));
      } catch (e) {
        if (attempt === this.attempt) this.retry(String(e && e.message || e));
      }
    }

    // retry waits, longer each time, and connects anew.
    retry(reason) {
      this.drop();
      if (this.ended || this.timer) return;
      if (Date.now() - this.since > this.o.retryMax) this.tries = 0;
      const longest = Math.min(this.o.retryMax, this.o.retryMin * 2 ** this.tries++);
      const delay = Math.round(longest * (1 + Math.random()) / 2);
      this.timer = setTimeout(() => this.connect(), delay);
      this.tell('onstate', 'waiting', {delay, reason});
    }

    // alive is called at each sign of life.
    alive() {
      clearTimeout(this.watchdog);
      this.watchdog = setTimeout(() => this.retry('silence'), this.o.silence);
    }

    address(at, path, seq) {
      const url = new URL(path, new URL(at.base.replace(/\/*$/, '/'), root.location && root.location.href));
      const q = {cname: this.o.channel, seq, gap: 1, noop: this.noops};
      if (seq && this.position.epoch) q.epoch = this.position.epoch;
      if (at.token) q.token = at.token;
      url.search = new URLSearchParams(q);
      return url.href;
    }

    // ask makes one request and returns the objects of its reply.
    async ask(at, seq) {
      const r = await fetch(this.address(at, 'sub', seq), {cache: 'no-store', signal: at.attempt.signal});
      if (!r.ok) throw new Error('HTTP ' + r.status);
      const objects = [].concat(await r.json());
      if (at.attempt === this.attempt) this.alive();
      return objects;
    }

    // greet learns the channel's instance, which tells a restarted server from
    // the one that our number is of. A poll without a number holds nothing.
    async greet(at) {
      for (const o of await this.ask(at, 0)) {
        if (at.attempt !== this.attempt) return;
        const p = this.position;
        if (o.type !== 'next_seq' || !p.seq) this.take(o);
        else if (this.why(o) === 'restart') this.jump(1, 'restart', o.content); // all of it is new
        else p.epoch = p.epoch || o.content;
      }
    }

    // poll asks again and again until it is dropped.
    async poll(at) {
      while (at.attempt === this.attempt) {
        this.opened();
        const began = Date.now(), was = this.position.seq;
        for (const o of await this.ask(at, this.position.seq)) {
          if (at.attempt === this.attempt) this.take(o);
        }
        // A server that answers at once with nothing shall not be asked for it
        // without end.
        if (this.position.seq === was && Date.now() - began < this.o.retryMin) {
          await new Promise(done => setTimeout(done, this.o.retryMin));
        }
      }
    }

    // listen opens an EventSource. The browser's own reconnect is not used: it
    // comes after a fixed time, with the first connect's address (and so the
    // epoch of then), and not at all after some errors.
    listen(at) {
      return new Promise((_, failed) => {
        const source = new EventSource(this.address(at, 'sse', this.position.seq));
        const mine = act => event => {
          try {
            if (at.attempt === this.attempt) act(event);
          } catch (e) {
            failed(e);
          }
        };
        at.attempt.signal.addEventListener('abort', () => source.close());
        source.onopen = mine(() => { this.alive(); this.opened(); });
        source.onmessage = mine(e => { this.alive(); this.take(JSON.parse(e.data)); });
        source.onerror = mine(() => failed(new Error('connection lost')));
      });
    }

    opened() {
      if (this.attempt.open) return;
      this.attempt.open = true;
      this.tell('onstate', 'open', {});
    }

    // take is given each object of the protocol.
    take(o) {
      const p = this.position;
      switch (o.type) {
        case 'data':
        case 'broadcast':
          // The server gives no number twice, so a lower one is of a new
          // instance; a higher one comes where the history was empty.
          if (p.seq && o.seq !== p.seq) this.jump(o.seq, o.seq < p.seq ? 'restart' : 'gap', '');
          p.seq = o.seq + 1;
          this.tries = 0;
          this.tell('onmessage', o);
          break;
        case 'next_seq':
        case 'gap':
          this.tries = 0;
          this.jump(o.seq, this.why(o), o.content);
          break;
        case 'noop':
          this.tries = 0;
          this.noops = o.seq + 1;
          break;
        case 'close':
          this.end('closed');
          break;
        case '401':
          if (typeof this.o.token === 'function') this.retry('401: ' + o.content);
          else this.end('denied');
          break;
        case '429':
          this.retry('429: ' + o.content);
          break;
      }
    }

    // why tells what an object that gives a number means for our position.
    why(o) {
      const p = this.position;
      if (p.seq && (o.content && p.epoch && o.content !== p.epoch || o.seq < p.seq)) return 'restart';
      return p.seq && o.seq > p.seq ? 'gap' : '';
    }

    // jump goes on at another number, and says so if there is a reason.
    jump(seq, reason, epoch) {
      const wanted = this.position.seq;
      if (reason === 'restart') this.position.epoch = '';
      if (epoch) this.position.epoch = epoch;
      this.position.seq = seq;
      if (reason) this.tell('onlost', {reason, wanted, next: seq});
    }
  }

  root.Comet = {subscribe: options => new Subscription(options)};
})(globalThis);
