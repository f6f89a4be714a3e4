// Small tools for the page. Data only ever becomes text or an attribute, never markup.

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Makes an element: `el('p', { className: 'note' }, 'text', anotherElement)`. */
export function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.filter((child) => child !== null));
  return element;
}

const NOTICE_STAYS = 10_000; // milliseconds; the log keeps what it says
let noticeTimer = null;

/** Tells the reader the outcome, on the page and, through the live region, to a screen reader. */
export function announce(text = 'Refused. The log says why.') {
  const notice = byId('notice');
  notice.textContent = text;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => notice.replaceChildren(), NOTICE_STAYS);
}

export function clock(milliseconds) {
  const seconds = Math.max(0, Math.ceil(milliseconds / 1000));
  const twoDigits = String(seconds % 60).padStart(2, '0');
  return `${Math.floor(seconds / 60)}:${twoDigits}`;
}

export function timeOfDay(date) {
  return date.toLocaleTimeString([], { hour: '2-digit', minute: '2-digit', second: '2-digit' });
}

// --- Buttons and forms --------------------------------------------------------------------------

/** Runs `action` on a click, once at a time. What it throws is told to the reader. */
export function onClick(button, action) {
  button.addEventListener('click', () => {
    whileBusy(button, async () => {
      try {
        await action();
      } catch (error) {
        announce(error.message);
      }
    });
  });
}

/**
 * Hands the fields of a form to `action`, once at a time. What it throws is shown in the form, at its
 * fields where a refusal by the API names them.
 */
export function onSubmit(form, action) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    whileBusy(form.querySelector('[type=submit]'), async () => {
      showErrors(form, {});
      try {
        await action(Object.fromEntries(new FormData(form)));
      } catch (error) {
        showErrors(form, { detail: error.message, errors: error.errors });
      }
    });
  });
}

/** Shows what went wrong in its form, or takes the last one away. */
export function showErrors(form, { detail = '', errors = {} }) {
  for (const input of form.elements) {
    const message = input.name && form.querySelector(`[data-error-of="${input.name}"]`);
    if (!message) continue;
    const sentences = errors[input.name] ?? [];
    message.textContent = sentences.join(' ');
    input.setAttribute('aria-invalid', String(sentences.length > 0));
  }
  form.querySelector('[data-error]').textContent = detail;
  form.querySelector('[aria-invalid=true]')?.focus();
}

/** `aria-disabled`, and not `disabled`: a button that is busy keeps the keyboard's focus. */
async function whileBusy(button, action) {
  if (button.getAttribute('aria-disabled') === 'true') return;
  button.setAttribute('aria-disabled', 'true');
  byId('notice').replaceChildren();
  try {
    await action();
  } finally {
    button.removeAttribute('aria-disabled');
  }
}
