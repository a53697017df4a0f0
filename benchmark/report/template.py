"""The page's HTML and CSS; `page.render` fills it in. Other pages share the style."""

import string

STYLE = """\
:root {
  --page: #fff; --text: #1c2430; --faint: #5c6675; --line: #dfe3e9; --wrong: #d9622b;
}
@media (prefers-color-scheme: dark) {
  :root { --page: #14181e; --text: #e4e8ee; --faint: #9aa5b4; --line: #2c343f; }
}
* { box-sizing: border-box; }
body {
  margin: 0 auto; max-width: 64rem; padding: 2.5rem 1.5rem 4rem;
  background: var(--page); color: var(--text);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif;
}
h1 { margin: 0 0 .4rem; font-size: 2rem; line-height: 1.2; letter-spacing: -.01em; }
h2 { margin: 3rem 0 .6rem; font-size: 1.2rem; }
p { margin: 0 0 1rem; max-width: 44rem; }
.lead { font-size: 1.1rem; }
.note { margin-top: .9rem; color: var(--faint); font-size: .9rem; }
dl {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr));
  gap: .9rem 1.5rem; margin: 1.2rem 0 0;
}
@media (max-width: 36rem) { dl { grid-template-columns: 1fr 1fr; } }
dt { color: var(--faint); font-size: .85rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: .92rem; }
th, td { padding: .5rem .9rem .5rem 0; border-bottom: 1px solid var(--line); text-align: left; }
th { color: var(--faint); font-weight: 500; vertical-align: bottom; }
td { white-space: nowrap; vertical-align: top; }
td:first-child { font-weight: 600; }
td small { display: block; color: var(--faint); font-size: .82rem; font-weight: 400; }
.number { text-align: right; font-variant-numeric: tabular-nums; }
th:last-child, td:last-child { padding-right: 0; }
.figures {
  display: grid; grid-template-columns: repeat(auto-fit, minmax(min(20rem, 100%), 1fr));
  gap: 1.5rem 2.5rem; align-items: start;
}
svg { display: block; width: 100%; max-width: 30rem; height: auto; }
svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, sans-serif !important; }
.samples {
  display: grid; grid-template-columns: repeat(auto-fill, minmax(4.2rem, 1fr)); gap: 1rem .8rem;
}
.samples figure { margin: 0; }
.samples img {
  display: block; width: 100%; aspect-ratio: 1; border-radius: .3rem;
  image-rendering: pixelated; border: 1px solid var(--line);
}
figcaption { padding-top: .2rem; font-size: .9rem; line-height: 1.3; }
figcaption small { display: block; color: var(--faint); }
.wrong img { border: 2px solid var(--wrong); }
.wrong figcaption { color: var(--wrong); font-weight: 600; }
"""

# How every page begins, up to what is said below its title.
HEAD = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>$title</title>
<style>
$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<p class="lead">$summary</p>
"""

PAGE = string.Template(
    HEAD
    + """\
$facts
</header>

<section>
<h2>Artifacts</h2>
<div class="scroll">
$table
</div>
<p class="note">Every artifact ran on the held-out images in its own runtime. <em>Same class</em>:
part of the images for which it chooses the Keras model's class. <em>Largest error</em>: the
largest difference to the Keras model's outputs, in standard deviations &sigma; of those.
<em>Latency</em>: of one image, the median, and below it the range of the middle 80 % of the calls;
all artifacts were measured in turn.</p>
</section>

<section>
<h2>Training</h2>
<div class="figures">
$loss
$accuracy
</div>
<p class="note">Held-out images are shown as they are; training images are shifted, turned and
scaled a little, which makes them harder. $training_note</p>
</section>

<section>
<h2>Held-out images</h2>
<div class="figures">
<div>
$confusion
<p class="note">Numbers of images. Off the diagonal are mistakes.</p>
</div>
<div>
<div class="samples">
$samples
</div>
<p class="note">Mistakes first, then the images that the network was least sure of. Below each
image the predicted class and its probability.</p>
</div>
</div>
</section>

<section>
<h2>Machine</h2>
$machine
</section>
</body>
</html>
"""
)
