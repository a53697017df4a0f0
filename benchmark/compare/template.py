"""The page's HTML, and what it adds to the style of the other reports; `report` fills it in."""

import string

from keras_ghostnet.benchmark.report.template import HEAD

STYLE = """\
.wide { overflow-x: auto; }
.wide svg { max-width: none; min-width: 40rem; }
.wide + .wide { margin-top: 1.5rem; }
.point { cursor: default; }
.point:hover path, .point:hover use { stroke: var(--text) !important; stroke-width: 2 !important; }
.comparison { font-size: .86rem; }
.comparison th, .comparison td { padding-right: .6rem; }
.comparison small { white-space: pre; }
.comparison .ours td { background: color-mix(in srgb, #2f74d0 14%, transparent); }
.comparison .ours td:first-child { box-shadow: inset .2rem 0 #2f74d0; }
.comparison td:first-child, .comparison th:first-child { padding-left: .6rem; }
.comparison button {
  all: unset; cursor: pointer; white-space: pre;
}
.comparison button:hover, .comparison [aria-sort] button { color: var(--text); }
.comparison button:focus-visible { outline: 2px solid #2f74d0; }
.comparison [aria-sort=ascending] button::after { content: " \\2191"; }
.comparison [aria-sort=descending] button::after { content: " \\2193"; }
.noisy { color: var(--wrong); }
.notes { padding-left: 1.1rem; max-width: 44rem; color: var(--faint); font-size: .9rem; }
"""

PAGE = string.Template(
    HEAD
    + """\
</header>

$sections

<section>
<h2>Notes</h2>
<ul class="notes">
$notes
</ul>
</section>
<script>
for (const head of document.querySelectorAll(".comparison th")) {
  head.firstChild.addEventListener("click", () => {
    const body = head.closest("table").tBodies[0], column = head.cellIndex;
    const sign = head.ariaSort === "ascending" ? -1 : 1;
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.ariaSort = sign > 0 ? "ascending" : "descending";
    const value = row => row.cells[column].dataset.value;
    const compare = (a, b) => isNaN(a) ? a.localeCompare(b) : a - b;
    const rows = [...body.rows].sort((a, b) => {
      const [x, y] = [value(a), value(b)];
      if (x === undefined || y === undefined) return (x === undefined) - (y === undefined);
      return sign * compare(x, y);
    });
    body.append(...rows);
  });
}
</script>
</body>
</html>
"""
)

SECTION = string.Template("""\
<section>
<h2>$heading</h2>
$figures
<div class="scroll">
$table
</div>
$conditions
</section>
""")
