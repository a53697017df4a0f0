"""Pages in headless Chromium: what the model outputs, what pictures become, what people see."""

import io
import os
import pathlib
import shutil

import numpy as np
import PIL.Image
import pytest

from keras_ghostnet.export import export, images, web
from keras_ghostnet.export.graph import deploy, for_tracing
from keras_ghostnet.export.web import browser
from keras_ghostnet.preprocessing import normalize
from tests.export.conftest import patches
from tests.export.networks import NAMES, settled_network

pytestmark = pytest.mark.browser
# `make test-browser` gets the packages of LiteRT.js there.
VENDOR = pathlib.Path(os.environ.get("LITERT_JS", ".ci/litert"))
LABELS = ("<img src=x onerror=alert(1)>", "\u202eneb", "ant", *map(str, range(7)))
SIZES = ((64, 64), (91, 64), (300, 200), (33, 50), (720, 1280))


@pytest.fixture(scope="module")
def model(images):
    return settled_network(NAMES[0], images)


@pytest.fixture(scope="module")
def page(model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("web") / "net.web"
    web.export(for_tracing(deploy(model)), folder, labels=LABELS, crop=1.0, vendor=VENDOR)
    return folder


@pytest.mark.parametrize("name", NAMES)
def test_outputs_are_the_model_s(name, images, tmp_path):
    """Through the verb, which verifies within the tolerances of float formats."""
    model = settled_network(name, images)
    data = (patches(120, 64), np.arange(120) % 10)
    (result,) = export(model, tmp_path, "web", data=data, vendor=VENDOR, labels=LABELS)
    assert result.verification.max_error < 1e-4
    assert result.images.endswith("in headless Chromium with LiteRT.js (WebAssembly)")


def picture(height, width):
    """A smooth picture with edges, uint8."""
    y, x = np.mgrid[:height, :width]
    waves = [128 + 90 * np.sin(x / a) * np.cos(y / b) for a, b in ((7, 11), (3, 17), (29, 5))]
    pixels = np.stack(waves, -1)
    pixels[height // 3 : height // 2, width // 4 : width // 2] = 255
    return pixels.round().astype("uint8")


PREPARE = """
const { Classifier } = await import("./classifier.js"), { decode } = await import("./image.js");
const { centerCrop } = await import("./image.js"), found = [];
const pictures = await (await fetch("names.json")).json();
for (const [name, crop] of pictures) {
  const blob = await (await fetch(name)).blob();
  found.push(Array.from(centerCrop(await decode(blob), [64, 64], crop)));
}
return found;
"""


def encoded(pixels, form, **options):
    file = io.BytesIO()
    PIL.Image.fromarray(pixels).save(file, form, **options)
    return file.getvalue()


def test_pictures_are_prepared_as_in_evaluation(page, tmp_path):
    """Resized and cropped in the same way; turned as their Exif says; JPEGs decode alike."""
    exif = PIL.Image.Exif()
    exif[0x0112] = 6
    files = {f"/{h}x{w}.png": (encoded(picture(h, w), "PNG"), 1.0) for h, w in SIZES}
    files["/crop.png"] = encoded(picture(500, 375), "PNG"), 0.875
    files["/turned.png"] = encoded(picture(120, 200), "PNG", exif=exif), 0.875
    files["/turned.jpg"] = encoded(picture(120, 200), "JPEG", quality=95, exif=exif), 0.875
    names = str([[name[1:], crop] for name, (_, crop) in files.items()]).replace("'", '"')
    served = {name: content for name, (content, _) in files.items()}
    found = browser.ask(page, PREPARE, {**served, "/names.json": names.encode()})
    for (name, (content, crop)), pixels in zip(files.items(), found, strict=True):
        path = tmp_path / name[1:]
        path.write_bytes(content)
        expected = images.read_file(path, (64, 64), crop).astype(int)
        difference = np.abs(np.reshape(pixels, expected.shape) - expected)
        assert difference.max() <= (3 if name.endswith("jpg") else 1), name
        assert difference.mean() < (0.5 if name.endswith("jpg") else 0.01), name


USE = """
await import("./app.js");
const element = (id) => document.getElementById(id);
const until = async (test) => {
  for (const start = performance.now(); !test(); ) {
    if (performance.now() - start > 20000) throw new Error(`waited for ${test}`);
    await new Promise((done) => setTimeout(done, 20));
  }
};
await until(() => !element("choose").disabled || element("status").matches(".failed"));
const blob = await (await fetch("picture.png")).blob(), transfer = new DataTransfer();
transfer.items.add(new File([blob], "<b>bee</b>.png"));
transfer.items.add(new File(["no picture"], "broken.png"));
element("files").files = transfer.files;
element("files").dispatchEvent(new Event("change"));
await until(() => document.querySelectorAll(".result li").length === 5);
await until(() => document.querySelector(".result .failed"));
const pasted = new DataTransfer();
pasted.items.add(new File([blob], "pasted.png"));
const paste = new ClipboardEvent("paste", { clipboardData: pasted, bubbles: true });
document.dispatchEvent(paste);
await until(() => document.querySelectorAll(".result li").length === 10);
return {
  status: element("status").textContent,
  labels: [...document.querySelectorAll(".label")].map((each) => each.textContent),
  shares: [...document.querySelectorAll(".share")].map((each) => parseFloat(each.textContent)),
  captions: [...document.querySelectorAll("figcaption")].map((each) => each.textContent),
  failures: [...document.querySelectorAll(".result .failed")].map((each) => each.textContent),
  images: document.querySelectorAll("img, b").length,
  width: document.documentElement.scrollWidth - innerWidth,
};
"""


@pytest.mark.parametrize("width", [360, 1280])
def test_people_see_the_five_best(page, model, width):
    pixels = picture(64, 64)
    seen = browser.ask(
        page, USE, {"/picture.png": encoded(pixels, "PNG")}, [f"--window-size={width},900"]
    )
    outputs = np.asarray(model(normalize(pixels)[None], training=False))[0]
    powers = np.exp(outputs - outputs.max())
    best = np.argsort(-outputs)[:5]
    assert seen["labels"][:5] == [LABELS[index] for index in best]
    expected = 100 * powers[best] / powers.sum()
    np.testing.assert_allclose(seen["shares"][:5], expected, atol=0.1)
    assert seen["status"] == "10 classes, ready in WebAssembly"
    assert set(seen["captions"]) == {"<b>bee</b>.png", "broken.png", "pasted.png"}
    assert all("cannot be shown as a picture" in text for text in seen["failures"])
    assert seen["images"] == 0  # names are text
    assert seen["width"] <= 0  # nothing is to be scrolled to


CAMERA = """
await import("./app.js");
const camera = document.getElementById("camera"), seen = [];
camera.click();
for (let number = 0; seen.length < 2 && number < 1000; number++) {
  await new Promise((done) => setTimeout(done, 20));
  const time = document.querySelector(".result .time")?.textContent;
  if (time && time !== seen.at(-1)) seen.push(time);
}
camera.click();
return [seen.length, camera.textContent, document.querySelectorAll(".result li").length];
"""


def test_the_camera(page):
    """One that Chromium makes up: every frame is classified, until the button is pressed again."""
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    assert browser.ask(page, CAMERA, options=fake) == [2, "Use the camera", 5]


def test_a_changed_library_is_refused(page, tmp_path):
    copied = shutil.copytree(page, tmp_path / "page.web")
    (script,) = copied.rglob("litert_wasm_internal.js")
    script.write_text(script.read_text() + "\n")
    with pytest.raises(browser.BrowserError, match=r"could not be loaded|integrity"):
        browser.outputs_of(copied, patches(1, 64))
