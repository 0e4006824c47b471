// Where the window is too narrow for plots and messages beside each other, it shows one of the two:
// the one that the address names (#live, #talk), so that links and the way back work.
function showPart() {
  const part = location.hash === '#talk' ? 'talk' : 'live';
  document.body.dataset.part = part;
  for (const link of document.querySelectorAll('nav .part')) {
    if (link.hash === `#${part}`) link.setAttribute('aria-current', 'true');
    else link.removeAttribute('aria-current');
  }
}
window.addEventListener('hashchange', () => {
  showPart();
  window.scrollTo({top: 0, behavior: 'instant'});
});
showPart();
