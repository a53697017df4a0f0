// The model in LiteRT.js: WebGPU where there is one, else WebAssembly.

import { Tensor, loadAndCompile, loadLiteRt, supportsFeature } from "@litertjs/core";
import { centerCrop } from "./image.js";

export class Classifier {
  /** Loads what `model.json` describes. */
  static async load() {
    const description = await (await get("model.json")).json();
    const simd = await supportsFeature("relaxedSimd");
    await loadRuntime(simd ? description.runtime.usual : description.runtime.compatible);
    const file = new Uint8Array(await (await get("model.tflite")).arrayBuffer());
    for (const accelerator of await accelerators()) {
      try {
        const model = await loadAndCompile(file, { accelerator });
        if (accelerator === "webgpu" && !model.isFullyAccelerated) continue;
        const classifier = new Classifier(description, model, accelerator);
        await classifier.run(new Uint8ClampedArray(3 * classifier.size[0] * classifier.size[1]));
        return classifier;
      } catch (error) {
        if (accelerator === "wasm") throw error;
      }
    }
  }

  constructor(description, model, accelerator) {
    Object.assign(this, { description, model, size: description.size });
    this.accelerator = { webgpu: "WebGPU", wasm: "WebAssembly" }[accelerator];
  }

  /** The pixels of ImageData that the model is to see. */
  prepare(picture) {
    return centerCrop(picture, this.size, this.description.crop);
  }

  /** The model's outputs for RGB pixels, integers from 0 to 255. */
  async run(pixels) {
    const { mean, std } = this.description, input = new Float32Array(pixels.length);
    for (let i = 0; i < pixels.length; i++) {
      input[i] = mean ? (pixels[i] / 255 - mean[i % 3]) / std[i % 3] : pixels[i];
    }
    const tensor = new Tensor(input, [1, ...this.size, 3]);
    const [output] = await this.model.run(tensor);
    const outputs = (await output.data()).slice();
    tensor.delete();
    output.delete();
    return outputs;
  }

  /** The most probable classes of ImageData, `{label, probability}`, and the milliseconds. */
  async classify(picture, top = 5) {
    const pixels = this.prepare(picture), start = performance.now();
    const outputs = await this.run(pixels), milliseconds = performance.now() - start;
    const found = this.probabilities(outputs).map((probability, index) => (
      { label: this.description.labels[index], probability }
    ));
    found.sort((a, b) => b.probability - a.probability);
    return { classes: found.slice(0, top), milliseconds };
  }

  probabilities(outputs) {
    const logits = this.description.outputs_are === "logits";
    const single = outputs.length === 1;
    if (single || this.description.labels_are === "independent") {
      const values = Array.from(outputs, (x) => (logits ? 1 / (1 + Math.exp(-x)) : x));
      return single ? [1 - values[0], values[0]] : values;
    }
    if (!logits) return Array.from(outputs);
    const most = Math.max(...outputs), powers = Array.from(outputs, (x) => Math.exp(x - most));
    const sum = powers.reduce((total, power) => total + power, 0);
    return powers.map((power) => power / sum);
  }
}

async function accelerators() {
  const adapter = await navigator.gpu?.requestAdapter().catch(() => null);
  return adapter ? ["webgpu", "wasm"] : ["wasm"];
}

/** Starts LiteRT.js from files whose hashes are known: a changed one is refused. */
async function loadRuntime({ script, binary }) {
  const [code, wasm] = await Promise.all([get(script.url, script), get(binary.url, binary)]);
  // What it writes to stderr is mostly no error.
  const printErr = (text) => console[/^(VERBOSE|INFO|WARNING)/.test(text) ? "debug" : "error"](text);
  self.Module = { wasmBinary: await wasm.arrayBuffer(), printErr };
  const url = URL.createObjectURL(new Blob([await code.text()], { type: "text/javascript" }));
  await loadLiteRt(`${url}#.js`); // it takes what ends so for a file, else for a folder
  URL.revokeObjectURL(url);
}

async function get(url, { integrity } = {}) {
  const options = integrity ? { integrity, mode: "cors", credentials: "omit" } : {};
  const response = await fetch(url, options).catch((error) => {
    throw new Error(`${url} could not be loaded: ${error.message}`);
  });
  if (!response.ok) throw new Error(`${url} could not be loaded: ${response.status}`);
  return response;
}
