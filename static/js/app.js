/* Small behaviours, found by data attributes. Every page works without them.

   data-open="#dialog"      opens a dialog; data-dismiss closes the banner around it
   data-toggle="#id"        shows or hides an element
   data-copy="#id"          copies that element's text
   data-confirm="Question?" on a form or an hx-… element; data-confirm-detail, data-confirm-yes
   data-submit-on-change    sends the form when a control changes (filters)
   data-key="n"             single-key shortcut; data-key-words says what it does, data-search takes "/"
   data-focus               takes the focus when a swap removed the focused element
   data-index               an in-page index: marks the section in view */
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const stored = (name, fallback) => { try { return localStorage.getItem(name) ?? fallback; } catch { return fallback; } };
  const store = (name, value) => { try { localStorage.setItem(name, value); } catch { /* kept for this page only */ } };

  /* clicks */
  const copy = async (button) => {
    await navigator.clipboard.writeText($(button.dataset.copy).textContent.trim());
    const words = button.getAttribute('aria-label') || button.textContent;
    say(`Copied: ${words.replace(/^Copy /, '')}`);
  };
  const toggle = (button) => {
    const target = $(button.dataset.toggle);
    target.hidden = !target.hidden;
    button.setAttribute('aria-expanded', String(!target.hidden));
  };
  const dismiss = (button) => {
    const next = button.closest('.banner').nextElementSibling;
    button.closest('.banner').remove();
    (next?.querySelector('[data-dismiss]') || $('#main')).focus({ preventScroll: true });
  };
  const CLICKS = [
    ['[data-open]', (button) => { closeMenus(); $(button.dataset.open).showModal(); }],
    ['[data-dismiss]', dismiss],
    ['[data-toggle]', toggle],
    ['[data-copy]', copy],
    ['[data-print]', () => print()],
  ];
  document.addEventListener('click', (event) => {
    closeMenus(event.target);
    for (const [selector, act] of CLICKS) {
      const button = event.target.closest(selector);
      if (button) act(button);
    }
  });
  const closeMenus = (inside) => $$('[data-menu][open]').forEach((menu) => { if (!inside || !menu.contains(inside)) menu.open = false; });

  /* one line for what happened in the background */
  const say = (words, state = 'info') => {
    const notice = $('#notice');
    notice.textContent = '';
    const banner = document.createElement('p');
    banner.className = 'banner';
    banner.dataset.state = state;
    banner.textContent = words;
    notice.append(banner);
  };

  /* a question before something that cannot be taken back lightly */
  const ask = (asking) => new Promise((answer) => {
    const dialog = $('#confirm');
    $('#confirm-question').textContent = asking.dataset.confirm || asking.getAttribute('hx-confirm');
    $('#confirm-detail').textContent = asking.dataset.confirmDetail || '';
    $('#confirm-yes').textContent = asking.dataset.confirmYes || 'Continue';
    dialog.returnValue = 'no';
    dialog.addEventListener('close', () => answer(dialog.returnValue === 'yes'), { once: true });
    dialog.showModal();
  });
  document.addEventListener('submit', async (event) => {
    const form = event.target;
    if (!form.dataset.confirm || form.dataset.confirmed || form.hasAttribute('hx-post')) return;
    event.preventDefault();
    if (!await ask(form)) return;
    form.dataset.confirmed = 'yes';
    form.requestSubmit(event.submitter);
  });
  document.addEventListener('htmx:confirm', async (event) => {
    const asking = event.detail.elt;
    if (!asking.dataset.confirm && !event.detail.question) return;
    event.preventDefault();
    if (await ask(asking)) event.detail.issueRequest(true);
  });
  document.addEventListener('change', (event) => event.target.form?.matches('[data-submit-on-change]') && event.target.form.requestSubmit());

  /* keys: never while typing, and they can be switched off */
  const typing = (target) => target.closest('input:not([type="checkbox"], [type="radio"]), textarea, select, [contenteditable], dialog');
  const goTo = (target) => (target.matches('input, select, textarea') ? target.focus() : target.click());
  const listKeys = () => {
    const list = $('[data-shortcut-list]');
    $$('.from-page', list).forEach((line) => line.remove());
    for (const target of $$('[data-key]')) {
      const [term, words, key] = ['dt', 'dd', 'kbd'].map((name) => document.createElement(name));
      key.textContent = target.dataset.key;
      words.textContent = target.dataset.keyWords || target.textContent.trim();
      term.append(key);
      [term, words].forEach((line) => { line.className = 'from-page'; list.append(line); });
    }
  };
  const onKey = (event) => {
    if (event.key === 'Escape') { $$('[data-menu][open] > summary').forEach((summary) => summary.focus()); closeMenus(); return; }
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target) || stored('keys', 'on') === 'off') return;
    const target = event.key === '/' ? $('[data-search]') : $(`[data-key="${CSS.escape(event.key)}"]`);
    if (event.key === '?') { listKeys(); $('#shortcuts').showModal(); } else if (!target) return; else goTo(target);
    event.preventDefault();
  };
  document.addEventListener('keydown', onKey);
  $('[data-shortcut-switch]').checked = stored('keys', 'on') === 'on';
  $('[data-shortcut-switch]').addEventListener('change', (event) => store('keys', event.target.checked ? 'on' : 'off'));

  /* swaps: open tables stay open, focus is never lost, a rejected form shows its first fault */
  let before = null;
  document.addEventListener('htmx:beforeSwap', (event) => {
    const target = event.detail.target;
    before = { id: target.id, held: target.contains(document.activeElement), open: $$('details[open][id]', target).map((box) => box.id) };
  });
  document.addEventListener('htmx:afterSettle', (event) => {
    if (!before) return;
    const { id, held, open } = before;
    before = null;
    open.forEach((name) => document.getElementById(name)?.setAttribute('open', ''));
    const target = document.getElementById(id) || event.detail.target;
    const wrong = $('[aria-invalid="true"]', target);
    if (wrong && held) wrong.focus();
    else if (held && document.activeElement === document.body) focusOn($('[data-focus]', target) || target);
  });
  const focusOn = (target) => {
    if (!target.hasAttribute('tabindex') && target.tabIndex < 0) target.tabIndex = -1;
    target.focus({ preventScroll: true });
  };
  document.addEventListener('htmx:sendError', () => say('The server could not be reached. What runs there goes on; this page tries again.', 'risk'));
  document.addEventListener('htmx:responseError', (event) => say(`The server refused this (${event.detail.xhr.status}). Nothing was changed.`, 'fail'));
  document.addEventListener('htmx:afterRequest', (event) => { if (event.detail.successful) $('#notice .banner:not([data-state="info"])')?.remove(); });

  /* on narrow screens the navigation scrolls: bring the current page into view */
  const strip = $('.site-nav');
  const here = $('.site-nav [aria-current]');
  if (here && strip.scrollWidth > strip.clientWidth) strip.scrollLeft = here.offsetLeft - 16;

  /* how many items wait for a person, beside the entry they belong to; a page never waits for it */
  const showWaiting = (waiting, link, what) => {
    if (!waiting || !link) return;
    const count = document.createElement('span');
    count.className = 'count';
    count.textContent = waiting > 999 ? '999+' : waiting;
    count.title = `${waiting} ${what} wait for you`;
    link.append(count);
  };
  const askWaiting = (address, link, what) => {
    if (address) fetch(address).then((reply) => reply.json()).then((found) => showWaiting(found.waiting, link, what)).catch(() => {});
  };
  askWaiting(strip?.dataset.waiting, $('.site-nav li:last-child a'), 'items');
  askWaiting(strip?.dataset.changes, $('.site-nav a[href="/changes/"]'), 'changes');

  /* the in-page index marks the section in view */
  const index = $('[data-index]');
  const mark = (id) => $$('a', index).forEach((link) => {
    if (link.hash === `#${id}`) link.setAttribute('aria-current', 'location'); else link.removeAttribute('aria-current');
  });
  if (index) {
    const watch = new IntersectionObserver((seen) => seen.filter((one) => one.isIntersecting).forEach((one) => mark(one.target.id)), { rootMargin: '-10% 0px -75% 0px' });
    $$('a[href^="#"]', index).map((link) => document.getElementById(link.hash.slice(1))).filter(Boolean).forEach((section) => watch.observe(section));
  }
})();
