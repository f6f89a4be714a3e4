// Light or dark: as the system says, until the button is pressed. Nothing is stored.

import { byId } from './ui.js';

export function setUpTheme() {
  const systemIsDark = matchMedia('(prefers-color-scheme: dark)');
  const root = document.documentElement;
  const button = byId('theme');
  const isDark = () => (root.dataset.theme ? root.dataset.theme === 'dark' : systemIsDark.matches);
  const label = () =>
    button.setAttribute('aria-label', isDark() ? 'Use light colours' : 'Use dark colours');

  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    label();
  });
  systemIsDark.addEventListener('change', label);
  label();
}
