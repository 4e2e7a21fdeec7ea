/* The review page: three keys an item, the next item ready, every step can be undone.

   A key that is held, or that was pressed before the item in view was painted, never answers anything. */
(() => {
  const root = document.querySelector('[data-review]');
  if (!root) return;
  const AHEAD = 6;         // items held ready at most, so that the network may be away for a while; the server may give fewer
  const BEHIND = 10;       // steps back
  const HEARTBEAT_MS = 4 * 60 * 1000;
  const $ = (selector, within = document) => within.querySelector(selector);
  const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
  const stored = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* kept for this page only */ } };
  const view = window.QuorumReviewItem(root);
  const dialog = (name) => $(`[data-dialog="${name}"]`);
  const say = (words) => { $('[data-said]').textContent = words; };
  let ahead = [];
  let behind = [];
  let done = Number($('progress', root).value);
  let total = Number($('progress', root).max);
  let isOver = false;
  let asking = null;
  let offline = false;
  let isStopped = false;

  /* saving */
  const UNREACHABLE = 'The server cannot be reached. The page goes on by itself once it can.';
  const LOGGED_OUT = 'You have been logged out. Log in again in this tab: your ratings are kept here until then.';
  const TROUBLE = { unreachable: 'not saved yet, trying again', 'logged out': 'not saved: you are logged out' };
  const showSaved = (count, trouble) => {
    const line = $('[data-saved]');
    line.toggleAttribute('data-state', Boolean(trouble));
    if (trouble) line.dataset.state = 'risk';
    const words = trouble ? `${count} ${TROUBLE[trouble]}` : count ? 'Saving' : 'Saved';
    if (line.textContent !== words) line.textContent = words;
    if (trouble === 'logged out') warn(LOGGED_OUT);
    if (!count && isOver && !view.item() && !ahead.length) finish();
  };
  const saving = window.QuorumSaving(root, {
    changed: showSaved,
    saved: (entry, reply) => {
      if (reply.html && view.item()?.token === entry.token) teach(reply.html);
      else if (view.item()?.token === entry.token && view.item().isHeld) goOn();
      fill();
    },
    refused: (entry, words, status) => bringBack(entry, words, status),
  });
  const warn = (words) => { $('[data-notes-words]').textContent = words; $('[data-notes]').hidden = false; };
  const unwarn = () => { $('[data-notes]').hidden = true; };
  const bringBack = (entry, words, status) => {
    const place = behind.findIndex((one) => one.token === entry.token);
    const [item] = place < 0 ? [null] : behind.splice(place, 1);
    if (view.item()?.token === entry.token) { view.item().isHeld = false; warn(`This was not saved. ${words}`); view.activate(view.turn()); return; }
    if (!item || status === 409) { warn(`An earlier item was not saved. ${words}`); return; }
    shelve();
    done = Math.max(0, done - 1);
    open(item, item.asks.at(-1));
    warn(`This item was not saved; your answers are still here. ${words}`);
  };

  /* time left: at the middle pace of the last items, before there are three at what the server knows of this person */
  const paceS = () => {
    const own = behind.map((item) => item.seconds).filter(Boolean).sort((one, other) => one - other);
    return own.length < 3 ? Number(root.dataset.pace) : own[own.length >> 1];
  };
  const showProgress = () => {
    const minutes = Math.ceil(Math.max(0, total - done) * paceS() / 60);
    $('progress', root).value = done;
    $('[data-left]').hidden = !minutes;
    $('[data-minutes]').textContent = minutes;
  };

  /* the way through the items */
  const shelve = () => { const item = view.item(); if (!item) return; view.leave(); ahead.unshift(item); };
  const open = (item, at) => {
    unwarn();
    view.show(item, at);
    $('[data-position]').textContent = Math.min(done + 1, total);
    showProgress();
    say(`Item ${done + 1} of ${total}. ${$('[data-question]', item.node).textContent}`);
    fill();
  };
  const goOn = () => {
    const item = view.item();
    if (item) { view.leave(); item.isHeld = false; behind.push(item); behind = behind.slice(-BEHIND); done += 1; }
    const next = ahead.shift();
    if (next) open(next); else waitForMore();
  };
  const waitForMore = () => {
    showProgress();
    view.hide(isOver ? 'Saving your last ratings' : offline ? UNREACHABLE : 'Fetching the next item');
    if (isOver && !saving.size()) finish(); else fill();
  };
  const finish = () => { if (!isStopped) location.assign(root.dataset.finished); };

  /* items ahead */
  const onScreen = () => [view.item(), ...ahead].filter(Boolean).map((item) => item.token);
  const held = () => [...new Set([...onScreen(), ...saving.tokens()])];
  const asHeld = (tokens) => tokens.map((token) => ['holding', token]);
  const known = (token) => held().includes(token) || behind.some((item) => item.token === token);
  const fill = () => {
    if (asking || isOver || offline || ahead.length >= AHEAD) return;
    asking = saving.send(root.dataset.next, asHeld(held())).then(take, lost)
      .then((more) => { asking = null; if (more) fill(); else if (!view.item() && !isOver) setTimeout(fill, 500); });
  };
  const lost = () => {
    offline = true;
    if (!view.item()) view.hide(UNREACHABLE);
    setTimeout(() => { offline = false; fill(); }, 3000);
    return false;
  };
  /* whether to ask for one more */
  const take = async (reply) => {
    if (reply.type === 'opaqueredirect') return stop(LOGGED_OUT);
    if (reply.status >= 500) return lost();
    if (!reply.ok) return stop((await reply.json().catch(() => ({}))).problem || `The server answered ${reply.status}.`);
    if (reply.status === 202) return false;
    const item = reply.status === 200 ? view.parse(await reply.text()) : null;
    if (!item) { isOver = true; if (!view.item()) waitForMore(); return false; }
    if (known(item.token)) return false;
    ahead.push(item);
    if (!view.item()) goOn();
    return true;
  };
  const stop = (words) => { isStopped = true; isOver = true; if (!view.item()) view.hide(words); else warn(words); return false; };
  setInterval(() => {
    if (!document.hidden && onScreen().length) saving.send(root.dataset.heartbeat, asHeld(onScreen())).catch(() => {});
  }, HEARTBEAT_MS);

  /* answering */
  const answer = (key) => {
    const { asks } = view.item();
    const open = asks.filter((one) => !view.valueOf(one));
    const next = open.find((one) => asks.indexOf(one) > asks.indexOf(key)) || open[0];
    if (next) view.activate(next); else save();
  };
  const save = () => {
    const item = view.item();
    if (!item || item.isHeld) return;
    const missing = view.unanswered();
    if (missing) { view.activate(missing); say('This question is still open.'); return; }
    view.leave();
    const { chips, ...answers } = item.answers;
    const fields = {
      token: item.token, revision: item.revision, seconds: item.seconds.toFixed(1), ...answers, chips: JSON.stringify(chips), revealed: Boolean(item.revealed),
    };
    item.isHeld = item.waits;
    saving.put({ url: root.dataset.votes, token: item.token, fields });
    item.revision += 1;
    if (item.waits) say('Saving'); else goOn();
  };
  const skip = () => {
    const box = dialog('skip');
    box.returnValue = '';
    box.addEventListener('close', () => {
      const item = view.item();
      if (!box.returnValue || !item) return;
      saving.put({ url: root.dataset.skip, token: item.token, fields: { token: item.token, reason: box.returnValue } });
      item.isSkipped = true;
      goOn();
    }, { once: true });
    box.showModal();
  };
  const showAfter = (html, again, goes = goOn) => {
    const box = dialog('after');
    $('[data-after]').replaceChildren(...new DOMParser().parseFromString(html, 'text/html').body.childNodes);
    box.returnValue = 'next';
    box.addEventListener('close', () => { if (box.returnValue === 'change') again(); else goes(); }, { once: true });
    box.showModal();
  };
  const teach = (html) => {
    const item = view.item();
    showAfter(html, () => { item.isHeld = false; view.activate(item.asks[0]); });
  };
  const reveal = async () => {
    const last = behind.at(-1);
    if (!last || last.isSkipped || saving.holds(last.token)) { say('There is no saved rating to reveal.'); return; }
    const reply = await saving.send(root.dataset.reveal, asHeld([last.token])).catch(() => null);
    if (!reply?.ok) { warn(reply ? (await reply.json().catch(() => ({}))).problem || 'This cannot be revealed.' : UNREACHABLE); return; }
    last.revealed = true;
    showAfter(await reply.text(), () => reopen(behind.pop()), () => {});
  };

  /* going back */
  const undo = () => {
    const item = view.item();
    if (item?.isHeld) return;
    const last = item && item.asks.findLast((key) => view.valueOf(key));
    if (last) { view.clear(last); view.activate(last); return; }
    if (behind.length && !(behind.at(-1).isSkipped && !saving.holds(behind.at(-1).token))) reopen(behind.pop()); else undoOnServer();
  };
  const reopen = (item) => {
    const neverSent = saving.take(item.token);
    if (neverSent && !item.isSkipped) item.revision = Math.max(1, item.revision - 1);
    item.isSkipped = false;
    shelve();
    done = Math.max(0, done - 1);
    if (item.answers) delete item.answers.preference;
    open(item);
    view.activate(view.unanswered() || item.asks.at(-1));
    $('[data-saved]').textContent = 'Reopened';
  };
  const undoOnServer = async () => {
    const open = view.item();
    const reply = await saving.send(root.dataset.undo, open && open.revision > 1 ? asHeld([open.token]) : []).catch(() => null);
    if (!reply) { say('The server cannot be reached.'); return; }
    const item = reply.ok ? view.parse(await reply.text()) : null;
    if (!item) { say('There is nothing to undo.'); return; }
    behind = behind.filter((one) => one.token !== item.token);
    reopen(item);
  };

  /* what the buttons do */
  const turnOver = (button) => view.press(button, !view.isOn(button));
  const ACTS = {
    unsure: turnOver,
    flag: turnOver,
    sync: (button) => { turnOver(button); store('review-sync', String(view.isOn(button))); },
    fade: (button) => { turnOver(button); store('review-fade', String(view.isOn(button))); root.toggleAttribute('data-fades', view.isOn(button)); },
    note: (button) => {
      const box = $('[data-box="note"]');
      box.hidden = !box.hidden;
      button.setAttribute('aria-expanded', String(!box.hidden));
      if (box.hidden) view.activate(view.turn()); else $('input', box).focus();
    },
    skip: () => view.item() && !view.item().isHeld && skip(),
    undo,
    reveal,
    keys: () => dialog('keys').showModal(),
    dismiss: unwarn,
    pause: async () => {
      if (saving.size()) { warn('Not everything is saved yet. Pause once it is.'); return; }
      await saving.send(root.dataset.leave, []).catch(() => {});
      location.assign($('.brand', root).href);
    },
  };
  const act = (name) => { const button = $(`[data-do="${name}"]`, root); if (button) ACTS[name](button); };
  root.addEventListener('click', (event) => { const button = event.target.closest('[data-do]'); if (button && ACTS[button.dataset.do]) ACTS[button.dataset.do](button); });
  $('form', root).addEventListener('submit', (event) => { event.preventDefault(); save(); });
  /* a click answers at once; the arrow keys inside a group only choose. The second of two quick taps meant the first. */
  $$('[data-q]', root).forEach((box) => {
    box.addEventListener('click', (event) => {
      if (!event.target.matches('input') || !event.detail) return;
      if (event.detail > 1 || !view.isSeen(event) || view.item().isHeld) { event.preventDefault(); return; }
      answer(box.dataset.q);
    });
    box.addEventListener('focusin', () => { if (view.item() && view.turn() !== box.dataset.q) view.activate(box.dataset.q, false); });
  });

  /* keys */
  const pressed = new Set();
  document.addEventListener('keyup', (event) => pressed.delete(event.code));
  window.addEventListener('blur', () => pressed.clear());
  const isHeld = (event) => event.repeat || pressed.has(event.code);
  const rate = (value) => { if (view.choose(view.turn(), value)) answer(view.turn()); };
  const KEYS = {
    n: () => act('note'), u: () => act('unsure'), f: () => act('flag'), s: () => act('skip'), z: () => act('undo'), p: () => act('pause'), v: () => act('reveal'),
    '?': () => act('keys'), arrowleft: () => view.move(-1), arrowright: () => view.move(1),
    e: () => { const box = $('[data-evidence]', root); if (box) box.open = !box.open; },
  };
  const FREELY = new Set(['?', 'p', 'v', 'z']);
  const inText = (event) => event.target.matches('input:not([type="radio"], [type="checkbox"]), select, textarea');
  const chooseSkip = (event) => { const button = dialog('skip').open && /^[1-9]$/.test(event.key) && $$('[data-dialog="skip"] .rv-choices .btn')[event.key - 1]; if (button) button.click(); };
  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const held = isHeld(event);
    pressed.add(event.code);
    if (held && !inText(event) && !['Tab', 'ArrowUp', 'ArrowDown', 'ArrowLeft', 'ArrowRight', ' '].includes(event.key)) { event.preventDefault(); return; }
    if ($('dialog[open]')) { if (!held) chooseSkip(event); return; }
    if (inText(event)) { if (event.target.id === 'note' && ['Enter', 'Escape'].includes(event.key)) { event.preventDefault(); act('note'); } return; }
    if (stored('keys') === 'off' || held && event.key !== ' ') return;
    onKey(event, event.key.toLowerCase());
  });
  const onKey = (event, key) => {
    const target = event.target;
    if (key === 'enter' && target.matches('button, a, summary')) return;
    if (key === ' ') { if (target.matches('input, button, a, summary') || !view.item()) return; view.scroll(event.shiftKey ? -1 : 1); event.preventDefault(); return; }
    const claim = view.claimFor(key);
    const does = /^[0-5]$/.test(key) ? () => rate(key) : claim ? () => claim.click() : key === 'enter' ? save : KEYS[key];
    if (!does) return;
    event.preventDefault();
    if (FREELY.has(key) || (view.isSeen(event) && !view.item().isHeld)) does();
  };

  /* start */
  const box = $('[data-keys-on]');
  box.checked = stored('keys') !== 'off';
  box.addEventListener('change', () => store('keys', box.checked ? 'on' : 'off'));
  for (const name of ['sync', 'fade']) view.press($(`[data-do="${name}"]`), stored(`review-${name}`) !== 'false');
  root.toggleAttribute('data-fades', view.isOn($('[data-do="fade"]')));
  const node = $('[data-item]', root);
  done += saving.size();
  if (node && !saving.holds(node.dataset.token)) open(view.fromNode(node)); else if (node) waitForMore(); else { isStopped = true; isOver = true; }
  saving.start();
})();
