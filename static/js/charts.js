/* Draws every [data-chart] from the <template> of JSON it names: a plotly figure made on the server (see fusion_site/lib/chart.py).
   Here live the shared look, the colours of the scheme in force, and the places of the labels. */
(() => {
  const NARROW = 460;
  const FONT = 'Inter, ui-sans-serif, system-ui, -apple-system, "Segoe UI", Roboto, sans-serif';
  const CONFIG = { displayModeBar: false, displaylogo: false, responsive: true, showSendToCloud: false, plotlyServerURL: '' };
  const TOKEN = /^(--[a-z0-9-]+)(?:\/([0-9.]+))?$/;
  const RAW = new Set(['x', 'y', 'z', 'text', 'customdata', 'ids', 'hovertemplate', 'ticktext']);

  /* colours: a probe resolves light-dark(), which a custom property keeps as written */
  const probe = document.createElement('i');
  probe.hidden = true;
  document.body.append(probe);
  let seen = new Map();
  const plain = (name) => {
    if (!seen.has(name)) { probe.style.color = `var(${name})`; seen.set(name, getComputedStyle(probe).color); }
    return seen.get(name);
  };
  const parts = (colour) => colour.match(/[0-9.]+/g).slice(0, 3).map(Number);
  const clear = (name, alpha) => `rgba(${parts(plain(name)).join()},${alpha})`;
  /* a colour scale is mixed with the page instead: plotly picks the ink of the figures in its cells by lightness alone */
  const mixed = (name, alpha) => {
    const page = parts(plain('--paper'));
    return `rgb(${parts(plain(name)).map((part, index) => Math.round(part * alpha + page[index] * (1 - alpha))).join()})`;
  };
  const colour = (name, alpha, solid) => (alpha === undefined ? plain(name) : (solid ? mixed : clear)(name, Number(alpha)));
  const resolve = (value, key, solid = false) => {
    if (typeof value === 'string') { const token = TOKEN.exec(value); return token ? colour(token[1], token[2], solid) : value; }
    if (RAW.has(key) || value === null || typeof value !== 'object') return value;
    if (Array.isArray(value)) return value.map((one) => resolve(one, '', solid));
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, resolve(one, name, solid || name === 'colorscale')]));
  };

  /* the look every chart shares; what the figure says wins */
  const axis = { showgrid: true, gridcolor: '--rule', zeroline: false, showline: false, ticks: '', ticklabelstandoff: 5, fixedrange: true,
    automargin: true, tickfont: { size: 11, color: '--ink-3' }, title: { font: { size: 11, color: '--ink-3' }, standoff: 10 } };
  const LOOK = { font: { family: FONT, size: 12, color: '--ink-2' }, paper_bgcolor: 'rgba(0,0,0,0)', plot_bgcolor: 'rgba(0,0,0,0)',
    margin: { l: 48, r: 16, t: 14, b: 44 }, showlegend: false, hovermode: 'closest', dragmode: false, separators: '.,',
    hoverlabel: { bgcolor: '--ink', bordercolor: '--ink', font: { family: FONT, size: 12, color: '--paper' } },
    xaxis: { ...axis, showgrid: false }, yaxis: axis };
  const merge = (base, over) => {
    if (typeof over !== 'object' || over === null || Array.isArray(over) || typeof base !== 'object') return over;
    return Object.fromEntries([...new Set([...Object.keys(base), ...Object.keys(over)])]
      .map((key) => [key, key in over ? (key in base ? merge(base[key], over[key]) : over[key]) : base[key]]));
  };
  const textTitles = (layout) => {
    for (const name of Object.keys(layout).filter((key) => /^[xy]axis/.test(key))) {
      if (typeof layout[name].title === 'string') layout[name] = { ...layout[name], title: { text: layout[name].title } };
    }
    return layout;
  };
  const layoutOf = (figure, width) => {
    let layout = merge(LOOK, textTitles({ ...figure.layout }));
    if (width < NARROW && figure.narrow) layout = merge(layout, textTitles({ ...figure.narrow }));
    return resolve(layout);
  };

  /* labels */
  const pen = document.createElement('canvas').getContext('2d');
  const widthOf = (text) => { pen.font = `11px ${getComputedStyle(document.body).fontFamily}`; return pen.measureText(text.replace(/<[^>]*>/g, '')).width + 6; };
  const pixel = (plot, x, y) => ({ x: plot._fullLayout.xaxis.d2p(x) , y: plot._fullLayout.yaxis.d2p(y) });
  const inside = (at, size) => Number.isFinite(at.x) && Number.isFinite(at.y) && at.x >= -1 && at.y >= -1 && at.x <= size.width + 1 && at.y <= size.height + 1;
  const thin = (list, most) => list.filter((_, index) => index % Math.ceil(list.length / most) === 0);
  const pointsOf = (plot, size, wanted) => plot._fullData.filter((trace) => trace.visible === true && trace.x && trace.y && wanted(trace))
    .flatMap((trace) => thin([...trace.x].map((x, index) => pixel(plot, x, trace.y[index])), 200)).filter((at) => inside(at, size));
  const anchorsOf = (plot, label, size) => {
    const trace = plot._fullData[label.along];
    if (!trace) return [{ ...pixel(plot, label.x, label.y), data: [label.x, label.y] }];
    const all = [...trace.x].map((x, index) => ({ ...pixel(plot, x, trace.y[index]), data: [x, trace.y[index]] })).filter((at) => inside(at, size));
    return thin(all, 40).slice().reverse();
  };
  const annotation = (label, place) => {
    const middle = { x: (place.box.left + place.box.right) / 2, y: (place.box.top + place.box.bottom) / 2 };
    const common = { x: place.at.data[0], y: place.at.data[1], text: label.text, font: { size: 11, color: label.color || '--ink-2' },
      bgcolor: label.along === undefined ? 'rgba(0,0,0,0)' : '--paper', borderpad: 1, captureevents: false };
    const shift = { x: middle.x - place.at.x, y: middle.y - place.at.y };
    if (!place.far) return { ...common, showarrow: false, xanchor: 'center', yanchor: 'middle', xshift: shift.x, yshift: -shift.y };
    return { ...common, showarrow: true, arrowhead: 0, arrowwidth: 1, arrowcolor: '--ink-3', standoff: 5, ax: shift.x, ay: shift.y };
  };
  const label = (plot, figure) => {
    const { _size: area } = plot._fullLayout;
    const size = { width: area.w, height: area.h };
    const labels = figure.labels.map((one) => ({ ...one, width: widthOf(one.text), anchors: anchorsOf(plot, one, size) })).filter((one) => one.anchors.length);
    const room = { plot: { left: 0, top: 0, right: size.width + Math.min(8, area.r), bottom: size.height },
      points: pointsOf(plot, size, (trace) => /markers/.test(trace.mode) || trace.type === 'bar'), lines: pointsOf(plot, size, (trace) => /lines/.test(trace.mode)) };
    const places = window.QuorumLabels.placeLabels(labels, room);
    const fixed = resolve(figure.layout?.annotations || []);
    return Plotly.relayout(plot, { annotations: [...fixed, ...labels.map((one, index) => resolve(annotation(one, places[index])))] });
  };

  /* drawing */
  const figureOf = (plot) => JSON.parse(document.getElementById(plot.dataset.chart).content.textContent);
  const open = (event) => {
    const data = event.points[0].customdata;
    const address = Array.isArray(data) ? data.at(-1) : data;
    if (typeof address === 'string' && address.startsWith('/') && !address.startsWith('//')) location.assign(address);
  };
  const draw = async (plot) => {
    try {
      const figure = figureOf(plot);
      await Plotly.react(plot, resolve(figure.data), layoutOf(figure, plot.clientWidth), CONFIG);
      if (figure.labels?.length) await label(plot, figure);
      if (!plot.dataset.drawn) { plot.on('plotly_click', open); watch.observe(plot); }
      plot.dataset.drawn = Math.round(plot.clientWidth);
    } catch (error) {
      console.error(error);
      plot.textContent = 'This chart could not be drawn. Its figures are in the table below.';
    }
  };
  const drawAll = (root = document) => { seen = new Map(); root.querySelectorAll('[data-chart]').forEach(draw); };

  /* a new width needs new places for the labels */
  let waiting = 0;
  const watch = new ResizeObserver((entries) => {
    const changed = entries.map((one) => one.target).filter((plot) => plot.isConnected && Number(plot.dataset.drawn) !== Math.round(plot.clientWidth));
    if (!changed.length) return;
    clearTimeout(waiting);
    waiting = setTimeout(() => document.querySelectorAll('[data-chart][data-drawn]').forEach(draw), 150);
  });
  document.addEventListener('quorum:theme', () => drawAll());
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => drawAll());
  document.addEventListener('htmx:beforeCleanupElement', (event) => { if (event.target.matches?.('[data-chart][data-drawn]')) { watch.unobserve(event.target); Plotly.purge(event.target); } });
  document.addEventListener('htmx:afterSettle', (event) => drawAll(event.detail.target.isConnected ? event.detail.target.parentNode || document : document));
  matchMedia('print').addEventListener('change', () => drawAll());
  drawAll();
})();
