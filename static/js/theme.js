/* The chosen colour scheme, set before the first paint so that nothing flashes. */
(() => {
  let theme = 'auto';
  try { theme = localStorage.getItem('theme') || 'auto'; } catch { /* storage is closed: the system decides */ }
  if (theme !== 'auto') document.documentElement.dataset.theme = theme;
})();
