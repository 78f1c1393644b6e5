// What the model looked at: a map of patches over the picture, and the words of the answer that bring theirs up.

// From black over red to yellow, the way iron glows: a picture in bright colours must be dark where nothing is to be seen.
const glow = (x) => [255 * Math.min(1, x * 2.2), 255 * Math.max(0, Math.min(1, x * 1.9 - 0.75)), 255 * Math.max(0, x * 3 - 2.3), 215];

export function startHeat({ canvas, strength, strengthLabel }) {
  let maps = null;

  function hide() {
    canvas.hidden = true;
  }

  // The mean of the parts, each by its own peak.
  function draw(parts) {
    const { rows, columns } = maps;
    canvas.width = columns;
    canvas.height = rows;
    const context = canvas.getContext("2d"), pixels = context.createImageData(columns, rows);
    const mean = parts[0].map.map((_, i) => parts.reduce((sum, part) => sum + part.map[i], 0));
    const peak = Math.max(...mean, 1);
    mean.forEach((value, i) => pixels.data.set(glow((value / peak) ** 0.7), i * 4));
    context.putImageData(pixels, 0, 0);
    canvas.style.opacity = strength.value / 100;
    canvas.hidden = false;
  }

  strength.addEventListener("input", () => (canvas.style.opacity = strength.value / 100));
  return {
    set(explanation) {
      maps = explanation;
      strengthLabel.hidden = maps === null;
      if (maps && maps.parts.length) draw(maps.parts);
      else hide();
    },
    look(index) {
      if (maps) draw(index === undefined ? maps.parts : [maps.parts[index]]);
    },
    hide,
  };
}

// Words of the answer that have a map, as things to point at; what lies between them stays text.
export function wordsWithMaps(words, parts, onLook) {
  const pieces = [];
  let at = 0;
  parts.forEach((part, index) => {
    const found = part.kind === "word" || part.kind === "text" ? words.indexOf(part.text, at) : -1;
    if (found < 0 || part.text === "") return;
    pieces.push(words.slice(at, found), wordWithMap(part, index, onLook));
    at = found + part.text.length;
  });
  return [...pieces, words.slice(at)];
}

function wordWithMap(part, index, onLook) {
  const word = document.createElement("span");
  word.className = "part";
  word.textContent = part.text;
  word.tabIndex = 0;
  word.setAttribute("role", "button");
  for (const event of ["pointerenter", "focus", "click"]) word.addEventListener(event, () => onLook(index));
  for (const event of ["pointerleave", "blur"]) word.addEventListener(event, () => onLook(undefined));
  return word;
}

// Which part of an explanation belongs to which object: its box, in the order of both.
export function linkObjects(objects, parts) {
  const boxes = parts.flatMap((part, index) => (part.kind === "box" ? [index] : []));
  objects.forEach((object, i) => (object.part = boxes[i]));
}
