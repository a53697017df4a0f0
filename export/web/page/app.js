// The page: pictures from files, the clipboard or the camera to cards of results.

import { Classifier } from "./classifier.js";
import { decode, draw } from "./image.js";

const MOST = 60; // cards
const element = (id) => document.getElementById(id);
const [status, choose, files, camera, input, results] =
  ["status", "choose", "files", "camera", "input", "results"].map(element);
let classifier, queue = Promise.resolve(), stream = null;

function say(text, failed = false) {
  status.textContent = text;
  status.classList.toggle("failed", failed);
}

function card(caption, canvas) {
  const article = element("result").content.cloneNode(true).firstElementChild;
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", caption);
  article.querySelector("canvas").replaceWith(canvas);
  article.querySelector("figcaption").textContent = caption;
  results.prepend(article);
  while (results.children.length > MOST) results.lastElementChild.remove();
  return article;
}

function show(article, { classes, milliseconds }) {
  article.querySelector("ol").replaceChildren(...classes.map(({ label, probability }) => {
    const item = element("class").content.cloneNode(true).firstElementChild;
    item.querySelector(".label").textContent = label;
    item.querySelector(".share").textContent = `${(100 * probability).toFixed(1)} %`;
    item.querySelector(".bar span").style.width = `${100 * probability}%`;
    return item;
  }));
  const time = `${milliseconds.toFixed(1)} ms in ${classifier.accelerator}`;
  article.querySelector(".time").textContent = time;
}

function paint(canvas, picture) {
  canvas.width = picture.width;
  canvas.height = picture.height;
  canvas.getContext("2d").putImageData(picture, 0, 0);
}

async function classifyFile(file) {
  const canvas = document.createElement("canvas");
  const article = card(file.name || "pasted picture", canvas);
  try {
    const picture = await decode(file);
    paint(canvas, picture);
    show(article, await classifier.classify(picture));
  } catch (error) {
    canvas.remove();
    const note = article.querySelector(".time");
    note.textContent = `This cannot be shown as a picture: ${error.message}`;
    note.classList.add("failed");
  }
}

function take(list) {
  const pictures = [...list].filter((file) => file instanceof File);
  for (const file of pictures) queue = queue.then(() => classifyFile(file));
}

async function startCamera() {
  const settings = { video: { facingMode: "environment" }, audio: false };
  stream = await navigator.mediaDevices.getUserMedia(settings);
  const video = document.createElement("video"), canvas = document.createElement("canvas");
  Object.assign(video, { srcObject: stream, muted: true, playsInline: true });
  await video.play();
  const article = card("camera", canvas);
  while (stream) {
    const picture = draw(video);
    paint(canvas, picture);
    show(article, await classifier.classify(picture));
    await new Promise(requestAnimationFrame);
  }
}

function stopCamera() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
}

async function toggleCamera() {
  camera.setAttribute("aria-pressed", String(!stream));
  camera.textContent = stream ? "Use the camera" : "Stop the camera";
  if (stream) return stopCamera();
  try {
    await startCamera();
  } catch (error) {
    stopCamera();
    camera.setAttribute("aria-pressed", "false");
    camera.textContent = "Use the camera";
    say(`The camera cannot be used: ${error.message}`, true);
  }
}

function listen() {
  choose.addEventListener("click", () => files.click());
  files.addEventListener("change", () => {
    take(files.files);
    files.value = "";
  });
  camera.addEventListener("click", toggleCamera);
  document.addEventListener("paste", (event) => take(event.clipboardData.files));
  for (const name of ["dragover", "dragleave", "drop"]) {
    document.addEventListener(name, (event) => {
      event.preventDefault();
      input.classList.toggle("over", name === "dragover");
      if (name === "drop") take(event.dataTransfer.files);
    });
  }
  choose.disabled = false;
  camera.disabled = !navigator.mediaDevices; // only there on localhost and by https
}

try {
  classifier = await Classifier.load();
  const { name, labels } = classifier.description;
  document.title = element("name").textContent = name;
  listen();
  say(`${labels.length} classes, ready in ${classifier.accelerator}`);
} catch (error) {
  say(`The model cannot be run here: ${error.message}`, true);
}
