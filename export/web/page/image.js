// From a picture's file to the pixels that the model saw in evaluation.

const RADIUS = 2; // of the cubic kernel

/** The pixels of a picture, upright as its Exif says: ImageData. */
export async function decode(blob) {
  const options = {
    imageOrientation: "from-image",
    premultiplyAlpha: "none",
    colorSpaceConversion: "none",
  };
  return draw(await createImageBitmap(blob, options));
}

/** The pixels of whatever can be drawn: ImageData. */
export function draw(source) {
  const width = source.videoWidth ?? source.width, height = source.videoHeight ?? source.height;
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(source, 0, 0);
  return context.getImageData(0, 0, width, height);
}

/**
 * The center of a resized picture: bicubic and antialiased, the shorter side to `size / crop`.
 *
 * As TensorFlow's ScaleAndTranslate with "keyscubic". Returns RGB, integers from 0 to 255.
 */
export function centerCrop({ data, width, height }, [rows, columns], crop) {
  const least = [rows, columns].map((side) => roundEven(side / crop));
  const ratio = Math.max(least[0] / height, least[1] / width);
  const across = weights(width, roundEven(width * ratio), columns);
  const down = weights(height, roundEven(height * ratio), rows);
  const top = down[0].start, bottom = Math.max(...down.map((w) => w.start + w.values.length));
  const strip = new Float32Array((bottom - top) * columns * 3);
  for (let y = top, to = 0; y < bottom; y++) {
    for (const { start, values } of across) {
      let from = 4 * (y * width + start), red = 0, green = 0, blue = 0;
      for (const weight of values) {
        red += weight * data[from];
        green += weight * data[from + 1];
        blue += weight * data[from + 2];
        from += 4;
      }
      strip[to++] = red;
      strip[to++] = green;
      strip[to++] = blue;
    }
  }
  const result = new Uint8ClampedArray(rows * columns * 3), stride = 3 * columns;
  down.forEach(({ start, values }, row) => {
    for (let column = 0; column < stride; column++) {
      let sum = 0;
      values.forEach((weight, i) => (sum += weight * strip[(start - top + i) * stride + column]));
      result[row * stride + column] = sum; // rounds, half to even
    }
  });
  return result;
}

/** For each of `count` pixels in the middle of `resized`: which it is made of, and how much of. */
function weights(input, resized, count) {
  const step = input / resized, scale = Math.max(step, 1);
  const margin = Math.floor((resized - count) / 2), found = [];
  for (let i = 0; i < count; i++) {
    const center = (i + margin + 0.5) * step;
    const start = Math.max(0, Math.ceil(center - RADIUS * scale - 0.5));
    const end = Math.min(input - 1, Math.floor(center + RADIUS * scale - 0.5));
    const values = [];
    for (let at = start; at <= end; at++) values.push(cubic(Math.abs(at + 0.5 - center) / scale));
    const total = values.reduce((sum, value) => sum + value, 0);
    found.push({ start, values: values.map((value) => value / total) });
  }
  return found;
}

function cubic(x) {
  if (x >= RADIUS) return 0;
  if (x >= 1) return ((-0.5 * x + 2.5) * x - 4) * x + 2;
  return (1.5 * x - 2.5) * x * x + 1;
}

function roundEven(x) {
  const floor = Math.floor(x);
  if (x - floor !== 0.5) return Math.round(x);
  return floor % 2 ? floor + 1 : floor;
}
