// The administrators' page is on a port of its own, which this one is not told. So it asks.
byId('admin').addEventListener('click', () => {
  const shown = byId('admin-line').hidden;
  byId('admin-line').hidden = !shown;
  byId('admin').setAttribute('aria-expanded', shown);
  byId('admin-address').value ||= `${location.hostname}:50052`;
  if (shown) byId('admin-address').focus();
});
byId('admin-line').addEventListener('submit', (event) => {
  event.preventDefault();
  // The ports have TLS all together or not at all.
  const address = byId('admin-address').value.trim().replace(/^https?:\/\//, '');
  window.open(`${location.protocol}//${address}/`, '_blank', 'noopener');
});
