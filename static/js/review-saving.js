/* Sends what a reviewer decided, in order and in the background, and never forgets it before the server has it.

   What is not saved yet lies in this tab's session storage, so that a reload does not lose it; another tab or another
   person never sees it. A server that cannot be reached is asked again, later and later; what it refuses comes back.

   QuorumSaving(root, { changed(count, trouble), saved(entry, reply), refused(entry, words) })
   root: the element with data-review, data-person, data-csrf. An entry: { url, token, fields, ... } */
window.QuorumSaving = (root, told) => {
  const NAME = `quorum:review:${root.dataset.review}:${root.dataset.person}`;
  const WAITS_S = [1, 2, 4, 8, 15, 30];
  const PATIENCE_MS = 20000;
  const read = () => { try { return JSON.parse(sessionStorage.getItem(NAME) || '[]'); } catch { return []; } };
  const keep = () => { try { sessionStorage.setItem(NAME, JSON.stringify(waiting)); } catch { /* kept for this page only */ } };
  let waiting = read();
  let sending = null;
  let failures = 0;
  let timer = 0;

  const send = (url, fields) => fetch(url, {
    method: 'POST', body: new URLSearchParams(fields), redirect: 'manual', keepalive: true, signal: AbortSignal.timeout(PATIENCE_MS),
    headers: { 'X-CSRFToken': root.dataset.csrf, Accept: 'application/json' },
  });
  const wordsOf = async (reply) => { try { return (await reply.json()).problem; } catch { return ''; } };
  /* a redirect leads to the login page; a fault of the server may pass */
  const mayPass = (reply, entry) => reply.status === 429 || (reply.status >= 500 && (reply.status !== 500 || entry.tries < 3));

  const settle = async (entry, reply) => {
    if (reply.type === 'opaqueredirect') return later('logged out');
    if (reply.ok) { drop(entry); failures = 0; told.saved(entry, await reply.json()); return next(); }
    entry.tries = (entry.tries || 0) + 1;
    if (mayPass(reply, entry)) return later('unreachable');
    drop(entry);
    failures = 0;
    told.refused(entry, (await wordsOf(reply)) || `The server answered ${reply.status}.`, reply.status);
    return next();
  };
  const drop = (entry) => { waiting = waiting.filter((one) => one !== entry); sending = null; keep(); };
  const later = (trouble) => {
    sending = null;
    const wait = WAITS_S[Math.min(failures, WAITS_S.length - 1)];
    failures += 1;
    timer = setTimeout(next, wait * 1000);
    told.changed(waiting.length, trouble);
  };
  const next = () => {
    clearTimeout(timer);
    if (sending) return;
    told.changed(waiting.length, '');
    if (!waiting.length) return;
    [sending] = waiting;
    const entry = sending;
    entry.sent = true;
    send(entry.url, entry.fields).then((reply) => settle(entry, reply), () => later('unreachable'));
  };

  window.addEventListener('online', () => { failures = 0; next(); });
  window.addEventListener('beforeunload', (event) => { if (waiting.length) event.preventDefault(); });

  return {
    put: (entry) => { waiting.push(entry); keep(); if (failures) told.changed(waiting.length, 'unreachable'); else next(); },
    /* takes back what waits; true if it was never sent, so that the server cannot have it */
    take: (token) => {
      const found = waiting.findLast((one) => one.token === token && one !== sending);
      if (found) { waiting = waiting.filter((one) => one !== found); keep(); told.changed(waiting.length, failures ? 'unreachable' : ''); }
      return Boolean(found) && !found.sent;
    },
    tokens: () => waiting.map((one) => one.token),
    size: () => waiting.length,
    holds: (token) => waiting.some((one) => one.token === token),
    start: next,
    send,
  };
};
