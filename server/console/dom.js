// Small words for the document. Text from elsewhere becomes text nodes only, never markup.

const byId = (id) => document.getElementById(id);

// An element with attributes and children; strings become text.
function make(tag, attributes = {}, ...children) {
  const namespace = ['svg', 'line', 'polyline'].includes(tag) ? 'http://www.w3.org/2000/svg'
                                                  : 'http://www.w3.org/1999/xhtml';
  const node = document.createElementNS(namespace, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// For those who hear the page: spoken when what is going on has come to an end.
function announce(text) {
  byId('announcer').textContent = text;
}
