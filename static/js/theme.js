/* The colour scheme: set before the first paint so that nothing flashes, changed by [data-theme-toggle]. */
(() => {
  const NEXT = { auto: 'light', light: 'dark', dark: 'auto' };
  const root = document.documentElement;
  let theme = 'auto';
  try { theme = localStorage.getItem('theme') || 'auto'; } catch { /* storage is closed: the system decides */ }
  const apply = () => { if (theme === 'auto') delete root.dataset.theme; else root.dataset.theme = theme; };
  const name = () => document.querySelectorAll('[data-theme-toggle]').forEach((button) => {
    button.setAttribute('aria-label', `Colour scheme: ${theme}`);
    button.title = `Colour scheme: ${theme}`;
  });
  apply();
  document.addEventListener('DOMContentLoaded', name);
  document.addEventListener('click', (event) => {
    if (!event.target.closest('[data-theme-toggle]')) return;
    theme = NEXT[theme] || 'auto';
    apply();
    name();
    try { localStorage.setItem('theme', theme); } catch { /* kept for this page only */ }
    document.dispatchEvent(new Event('quorum:theme'));
  });
})();
