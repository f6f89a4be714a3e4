// What makes the pages better where script runs. Without it they do all the same.

/** Light or dark, kept in this browser. */
const root = document.documentElement;
for (const button of document.querySelectorAll('[data-theme-switch]')) {
  const isDark = () =>
    (root.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
  const name = () => (button.textContent = isDark() ? 'Light' : 'Dark');
  button.addEventListener('click', () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    name();
    try {
      localStorage.setItem('countersign-theme', root.dataset.theme);
    } catch {
      // It holds for this page.
    }
  });
  name();
  button.hidden = false;
}

/** Copies the text of a field. */
for (const button of document.querySelectorAll('[data-copy]')) {
  const field = document.getElementById(button.dataset.copy);
  button.hidden = false;
  button.addEventListener('click', async () => {
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      button.textContent = 'Copied';
    } catch {
      button.textContent = 'Press Ctrl+C';
    }
  });
}

/** Ticks all boxes of a list, and counts those that are ticked. */
for (const all of document.querySelectorAll('[data-all]')) {
  const boxes = [...document.querySelectorAll(`input[name="${all.dataset.all}"]`)];
  const count = document.querySelector('[data-count]');
  const tell = () => {
    const ticked = boxes.filter((box) => box.checked).length;
    all.checked = ticked > 0 && ticked === boxes.length;
    all.indeterminate = ticked > 0 && ticked < boxes.length;
    if (count) count.textContent = ticked === 0 ? 'None chosen' : `${ticked} chosen`;
  };
  all.addEventListener('change', () => {
    for (const box of boxes) box.checked = all.checked;
    tell();
  });
  for (const box of boxes) box.addEventListener('change', tell);
  all.closest('label').hidden = false;
  tell();
}

/** A form is sent once, however often its button is pressed. */
for (const form of document.querySelectorAll('form[method="post"]')) {
  let sent = false;
  form.addEventListener('submit', (event) => {
    if (sent) event.preventDefault();
    sent = true;
  });
  // Back in the history, it may be sent again.
  addEventListener('pageshow', () => (sent = false));
}

/** Choosing a filter is asking for it. */
for (const select of document.querySelectorAll('form[data-live] select')) {
  select.addEventListener('change', () => select.form.requestSubmit());
}

/** What was asked about is what is looked at first. */
document.querySelector('[role="alert"]')?.scrollIntoView({ block: 'nearest' });
