// Small tools for the page. Data only ever becomes text or an attribute, never markup.

/** The element with this id. */
export function byId(id) {
  return document.getElementById(id);
}

/** Makes an element: `el('p', { className: 'note' }, 'text', anotherElement)`. Children may be null. */
export function el(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** Markdown as the document uses it: paragraphs, lists of one level, `code`, **strong** and *emphasis*. */
export function markdown(text) {
  return text.split('\n\n').map((block) => {
    if (!block.startsWith('- ')) return el('p', {}, inline(block));
    const items = block.split('\n').map((line) => el('li', {}, inline(line.slice(2))));
    return el('ul', { className: 'bullets' }, items);
  });
}

/** The same, within a line. */
export function inline(text) {
  const tags = { '`': 'code', '**': 'strong', '*': 'em' };
  return text.split(/(`[^`]+`|\*\*[^*]+\*\*|\*[^*]+\*)/).map((piece) => {
    const mark = piece.match(/^(`|\*\*|\*)(.+)\1$/);
    return mark ? el(tags[mark[1]], {}, mark[2]) : piece;
  });
}

/** A button that copies what `text` gives. Where it may not, it selects `shown` instead. */
export function copyButton(shown, text, what) {
  const button = el('button', { type: 'button', className: 'small' }, 'Copy');
  button.setAttribute('aria-label', `Copy ${what}`);
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(text());
      byId('announcement').textContent = 'Copied';
      button.textContent = 'Copied';
    } catch {
      getSelection().selectAllChildren(shown);
      byId('announcement').textContent = 'Selected: copy it with the keyboard';
      button.textContent = 'Selected';
    }
    setTimeout(() => {
      button.textContent = 'Copy';
      byId('announcement').textContent = '';
    }, 2000);
  });
  return button;
}
