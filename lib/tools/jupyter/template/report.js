// The switch that opens all code; tables as wide as the page.
document.getElementById('show-code')?.addEventListener('change', ({ target }) => {
  for (const code of document.querySelectorAll('details.code')) code.open = target.checked;
});

/** Least size of a table's letters, of their usual size; a table that is wider still scrolls in its own frame. */
const LEAST = 0.65;

/** @param width of the page's text in pixels; without it that of the frame that a table is in */
function fitTables(width) {
  for (const table of document.querySelectorAll('.jp-RenderedHTMLCommon table')) {
    table.classList.remove('tight');
    table.style.zoom = 1;
    const room = width ?? table.parentElement.clientWidth;
    if (!room || table.scrollWidth <= room) continue;
    table.classList.add('tight');
    if (table.scrollWidth > room) table.style.zoom = Math.max(room / table.scrollWidth, width ? 0 : LEAST);
  }
}

/** Text of an A4 or letter page with the browser's usual margins, in pixels. */
const PAPER = 700;
for (const event of ['load', 'resize']) addEventListener(event, () => fitTables());
for (const fold of document.querySelectorAll('details')) fold.addEventListener('toggle', () => fitTables());
addEventListener('beforeprint', () => fitTables(PAPER));
addEventListener('afterprint', () => fitTables());
