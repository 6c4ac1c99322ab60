// Shows the rows that have all of the words typed and are in the state chosen. Without it the page shows every row.
(() => {
  const bar = document.querySelector('.filter');
  if (!bar) return;
  const [words, state, shown] = ['input', 'select', 'output'].map((name) => bar.querySelector(name));
  const rows = [...document.querySelectorAll('tr[data-state]')];
  const show = () => {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      const text = row.dataset.words.toLowerCase();
      const fits = (!state.value || row.dataset.state === state.value) && wanted.every((word) => text.includes(word));
      row.hidden = !fits;
      if (fits && row.closest('.rows')) count += 1;
    }
    shown.textContent = `${count} of ${bar.dataset.count} shown`;
  };
  words.addEventListener('input', show);
  state.addEventListener('input', show);
  bar.hidden = false;
  show();
})();
