// Before the page is drawn: the ground that was chosen last time, so that nothing flashes.

try {
  const theme = localStorage.getItem('countersign-theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage is closed to the page: then it goes by the system.
}
