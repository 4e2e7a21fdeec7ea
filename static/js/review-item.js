/* One item of a review session on the screen: its questions, its sentences, its two panes.

   QuorumReviewItem(root) answers with show(item), answersOf(), question in turn and the like; item: { node, token, asks,
   revision, answers, seconds }. Nothing here talks to the server. */
window.QuorumReviewItem = (root) => {
  const ORDER = ['a', 'b', 'p'];
  const NAMES = { a: 'facts_a', b: 'facts_b', p: 'preference' };
  const CLAIM_KEYS = ['q', 'w', 'r', 't'];
  const WRONG = ['3', '4'];
  const $ = (selector, within = root) => within.querySelector(selector);
  const $$ = (selector, within = root) => [...within.querySelectorAll(selector)];
  const form = $('form');
  const stage = $('[data-stage]');
  const field = (key) => $(`[data-q="${key}"]`);
  const pane = (key) => $(`[data-pane="${key}"]`);
  const toggle = (name) => $(`[data-do="${name}"]`);
  const isOn = (button) => button.getAttribute('aria-pressed') === 'true';
  const press = (button, on) => button.setAttribute('aria-pressed', String(on));
  const narrow = matchMedia('(width < 48rem)');
  let item = null;
  let turn = 'a';
  let since = 0;
  let paintedAt = Infinity;
  let chips = [];

  const fromNode = (node) => ({
    node, token: node.dataset.token, asks: node.dataset.asks.split(' '), revision: Number(node.dataset.revision || 1),
    waits: 'waits' in node.dataset, answers: JSON.parse(node.dataset.answers || 'null'), seconds: 0,
  });
  const parse = (html) => {
    const node = new DOMParser().parseFromString(html, 'text/html').querySelector('[data-item]');
    return node && fromNode(document.adoptNode(node));
  };

  /* answers */
  const valueOf = (key) => $('input:checked', field(key))?.value ?? '';
  const unanswered = () => item.asks.find((key) => !valueOf(key));
  const answers = () => ({
    ...Object.fromEntries(item.asks.map((key) => [NAMES[key], valueOf(key)]).filter(([, value]) => value !== '')),
    unsure: isOn(toggle('unsure')), flagged: isOn(toggle('flag')), note: form.elements.note.value.trim(),
    chips: chips.filter((chip) => WRONG.includes(valueOf(chip.side))),
  });
  const clear = (key) => { $$('input[type="radio"]', field(key)).forEach((radio) => { radio.checked = false; }); };
  const choose = (key, value) => { const radio = $(`input[value="${value}"]`, field(key)); if (radio) radio.checked = true; return Boolean(radio); };
  const restore = (given) => {
    item.asks.forEach((key) => { if (given[NAMES[key]] !== undefined) choose(key, given[NAMES[key]]); });
    press(toggle('unsure'), Boolean(given.unsure));
    press(toggle('flag'), Boolean(given.flagged));
    form.elements.note.value = given.note || '';
    chips = (given.chips || []).map((chip) => ({ ...chip }));
  };

  /* the question in turn */
  const activate = (key, focus = true) => {
    turn = key;
    ORDER.forEach((one) => field(one).toggleAttribute('data-active', one === key));
    ['a', 'b'].forEach((one) => pane(one).toggleAttribute('data-active', key === 'p' || one === key));
    const last = item.asks[item.asks.indexOf(key) - 1];
    showClaims([key, last].find((one) => WRONG.includes(valueOf(one || 'p')) && one !== 'p' && one));
    if (narrow.matches && key !== 'p') lookAt(key);
    if (focus) field(key).focus({ preventScroll: true });
  };
  const move = (by) => { const next = item.asks[item.asks.indexOf(turn) + by]; if (next) activate(next); };
  const lookAt = (key) => {
    const box = $('[data-panes]');
    if (narrow.matches) box.scrollTop = key === 'a' ? 0 : pane(key).offsetTop - $('.rv-switch').offsetHeight;
    $$('[data-show]').forEach((button) => (button.dataset.show === key ? button.setAttribute('aria-current', 'true') : button.removeAttribute('aria-current')));
  };

  /* sentences that are wrong */
  const showClaims = (key) => {
    const box = $('[data-claims]');
    box.hidden = !key || !$('[data-c]', pane(key));
    paintWrong();
    if (box.hidden) return;
    $('[data-claims-for]').textContent = key.toUpperCase();
    $('[data-claims-list]').replaceChildren(...sentencesOf(key).flatMap((sentence, place) => claim(key, sentence, place)));
  };
  const sentencesOf = (key) => $$('[data-c]', pane(key));
  const chipOf = (key, number) => chips.find((chip) => chip.side === key && chip.sentence === number);
  const claim = (key, sentence, place) => {
    const number = Number(sentence.dataset.c) - 1;
    const said = sentence.textContent.trim();
    const label = document.createElement('label');
    const box = document.createElement('input');
    const kind = document.createElement('select');
    label.className = 'chip';
    box.type = 'checkbox';
    box.checked = Boolean(chipOf(key, number));
    kind.append($('[data-kinds]').content.cloneNode(true));
    if (chipOf(key, number)) kind.value = chipOf(key, number).kind;
    kind.hidden = !box.checked;
    kind.setAttribute('aria-label', `What kind of error: ${said.slice(0, 60)}`);
    label.append(box, ...keyOf(place, box), said.length > 42 ? `${said.slice(0, 40).trim()}…` : said);
    const point = (on) => sentence.toggleAttribute('data-pointed', on);
    ['pointerenter', 'focusin'].forEach((name) => label.addEventListener(name, () => point(true)));
    ['pointerleave', 'focusout'].forEach((name) => label.addEventListener(name, () => point(false)));
    box.addEventListener('change', () => {
      chips = chips.filter((chip) => !(chip.side === key && chip.sentence === number));
      if (box.checked) chips.push({ side: key, sentence: number, text: said.slice(0, 500), kind: kind.value });
      kind.hidden = !box.checked;
      paintWrong();
    });
    kind.addEventListener('change', () => { chipOf(key, number).kind = kind.value; });
    return [label, kind];
  };
  const keyOf = (place, box) => {
    if (!CLAIM_KEYS[place]) return [];
    const key = document.createElement('kbd');
    key.textContent = CLAIM_KEYS[place].toUpperCase();
    key.setAttribute('aria-hidden', 'true');
    box.dataset.key = CLAIM_KEYS[place];
    return [key];
  };
  const paintWrong = () => ['a', 'b'].forEach((key) => sentencesOf(key).forEach((sentence) => {
    sentence.toggleAttribute('data-wrong', Boolean(chipOf(key, Number(sentence.dataset.c) - 1)));
    sentence.removeAttribute('data-pointed');
  }));

  /* time counts while the page can be seen */
  const stopClock = () => { if (item && since) item.seconds += (performance.now() - since) / 1000; since = 0; };
  document.addEventListener('visibilitychange', () => { if (document.hidden) stopClock(); else if (item) since = performance.now(); });

  /* both panes move by the same share of their length */
  let lead = null;
  const takeLead = (event) => { lead = event.target.closest?.('[data-pane]') || lead; };
  ['pointerover', 'focusin', 'touchstart', 'wheel'].forEach((name) => stage.addEventListener(name, takeLead, { passive: true }));
  stage.addEventListener('scroll', (event) => {
    const box = event.target;
    if (box !== lead || narrow.matches || !isOn(toggle('sync'))) return;
    const other = pane(box.dataset.pane === 'a' ? 'b' : 'a');
    const share = box.scrollTop / Math.max(1, box.scrollHeight - box.clientHeight);
    other.scrollTop = share * (other.scrollHeight - other.clientHeight);
  }, { capture: true, passive: true });
  const scroll = (direction) => {
    lead = null;
    const boxes = narrow.matches ? [$('[data-panes]')] : [pane('a'), pane('b')];
    boxes.forEach((box) => box.scrollBy({ top: box.clientHeight * 0.8 * direction }));
  };
  stage.addEventListener('click', (event) => { const button = event.target.closest('[data-show]'); if (button) lookAt(button.dataset.show); });

  const leave = () => { if (!item) return; stopClock(); item.answers = answers(); };
  const show = (shown, at) => {
    item = shown;
    paintedAt = Infinity;
    delete root.dataset.painted;
    stage.replaceChildren(item.node);
    form.reset();
    if (form.elements.token) form.elements.token.value = item.token;
    restore(item.answers || {});
    $('[data-box="note"]').hidden = !form.elements.note.value;
    toggle('note').setAttribute('aria-expanded', String(Boolean(form.elements.note.value)));
    $$('details', item.node).forEach((box) => { box.open = false; });
    $$('[data-pane], [data-panes]').forEach((box) => { box.scrollTop = 0; });
    ORDER.forEach((key) => { field(key).disabled = !item.asks.includes(key); });
    lookAt('a');
    activate(at || item.asks[0]);
    since = document.hidden ? 0 : performance.now();
    /* twice: the first frame after a change may have been under way before it */
    requestAnimationFrame(() => requestAnimationFrame(() => { paintedAt = performance.now(); root.dataset.painted = item.token; }));
  };
  const hide = (words) => {
    item = null;
    paintedAt = Infinity;
    delete root.dataset.painted;
    $('[data-waiting-words]', $('[data-waiting]').content).textContent = words;
    stage.replaceChildren($('[data-waiting]').content.cloneNode(true));
    form.reset();
    ORDER.forEach((key) => { field(key).disabled = true; field(key).removeAttribute('data-active'); });
    $('[data-claims]').hidden = true;
  };
  return {
    fromNode, parse, show, hide, leave, activate, move, scroll, choose, clear, valueOf, unanswered, isOn, press,
    item: () => item, turn: () => turn, answers,
    /* whether somebody who acts at this moment can have seen the item */
    isSeen: (event) => Boolean(item) && event.timeStamp >= paintedAt,
    claimFor: (key) => { const box = $(`[data-claims]:not([hidden]) [data-key="${key}"]`); return box; },
  };
};
