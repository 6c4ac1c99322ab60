// Put into a test's copy of the report, in a frame: opens what is folded, measures the page, and writes what it found as
// JSON into the document around the frame, where --dump-dom shows it (tests/support/chromium.lua).
(() => {
  const numbers = (text) => text.match(/[\d.]+/g).map(Number);
  const luminance = ([r, g, b]) => {
    const part = (v) => ((v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  };
  const background = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const color = numbers(getComputedStyle(at).backgroundColor);
      if (color.length < 4 || color[3] > 0) return color;
    }
    return [255, 255, 255];
  };
  const ratio = (a, b) => {
    const [light, dark] = [luminance(a), luminance(b)].sort((x, y) => y - x);
    return (light + 0.05) / (dark + 0.05);
  };
  const is_large = (style) => {
    const size = parseFloat(style.fontSize);
    return size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
  };
  // Text that is too faint for WCAG AA on what it stands on.
  const faint = () => {
    const found = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
      const parent = walker.currentNode.parentElement;
      if (!walker.currentNode.data.trim() || !parent.getClientRects().length) continue;
      const style = getComputedStyle(parent);
      const color = numbers(parent instanceof SVGElement ? style.fill : style.color);
      const found_ratio = ratio(color, background(parent));
      if (found_ratio < (is_large(style) ? 3 : 4.5)) {
        found.push(`${found_ratio.toFixed(2)} ${walker.currentNode.data.trim().slice(0, 40)}`);
      }
    }
    return found;
  };
  // What stands out of the window's width, unless it scrolls by itself.
  const wide = () => {
    const found = [];
    for (const each of document.body.querySelectorAll('*')) {
      if (each.closest('.wide, .unseen') && !each.matches('.wide')) continue;
      const box = each.getBoundingClientRect();
      if (box.right > innerWidth + 1 && box.width > 0) found.push(`${each.tagName} ${each.className.baseVal ?? each.className}`);
    }
    return found;
  };
  // What the page fetches: what was fetched by now, and what is named to be.
  const resources = () => {
    const named = [...document.querySelectorAll('[src], link[href]')].map((each) => each.src || each.href);
    const fetched = performance.getEntriesByType('resource').map((each) => each.name);
    return [...new Set([...fetched, ...named])].filter((each) => each && !each.startsWith('data:'));
  };
  const headings = () => {
    const found = [];
    let last = 0;
    for (const each of document.querySelectorAll('h1, h2, h3, h4')) {
      const level = Number(each.tagName[1]);
      if (level > last + 1) found.push(`${each.tagName} after H${last}`);
      last = level;
    }
    if (document.querySelectorAll('h1').length !== 1) found.push('not one H1');
    return found;
  };
  const unnamed = () => [...document.querySelectorAll('svg:not([aria-hidden=true]), section, nav, [role=region]')]
    .filter((each) => !each.getAttribute('aria-label')
      && !document.getElementById(each.getAttribute('aria-labelledby'))?.textContent)
    .map((each) => each.tagName);
  const folded = document.querySelectorAll('details').length;
  const before = document.documentElement.scrollWidth;
  const height = document.documentElement.scrollHeight;
  for (const each of document.querySelectorAll('details')) each.open = true;
  const measured = {
    width: innerWidth, scroll_width: Math.max(before, document.documentElement.scrollWidth), wide: wide(),
    faint: faint(), headings: headings(), unnamed: unnamed(),
    headless_tables: [...document.querySelectorAll('table')].filter((each) => !each.querySelector('th[scope=col]')).length,
    landmarks: ['header', 'nav', 'main', 'footer'].filter((name) => !document.querySelector(`body > ${name}`)),
    resources: resources(),
    background: getComputedStyle(document.body).backgroundColor, folded,
    grown: document.documentElement.scrollHeight > height, text: document.body.innerText.length,
    bars: [...document.querySelectorAll('rect.bar')].filter((each) => each.getBoundingClientRect().width > 0).length,
  };
  const out = parent.document.createElement('pre');
  out.id = 'measured';
  out.textContent = JSON.stringify(measured);
  parent.document.body.append(out);
})();
