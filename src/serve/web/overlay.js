// Boxes and masks over the picture, and the list of objects beside it: each lights up with the other.
import { number, text } from "./strings.js";

// A colour as four bytes of a picture in memory.
function tint(colour, alpha) {
  const bytes = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return new Uint32Array(new Uint8Array([...bytes, alpha]).buffer)[0];
}

export function startOverlay({ frame, boxes, masks, list, toggle, toggleLabel }, { onLook }) {
  let objects = [], size = { width: 1, height: 1 }, lit = null, canLook = false;

  const visible = (object) => toggle.checked && object.shown;

  function light(object) {
    lit = object;
    paint();
    for (const element of [...boxes.children, ...list.children]) element.classList.toggle("lit", object !== null && objects[element.dataset.index] === object);
  }

  function paint() {
    for (const element of boxes.children) {
      const object = objects[element.dataset.index];
      element.hidden = !visible(object);
      element.classList.toggle("dim", lit !== null && lit !== object);
    }
    const masked = objects.filter((object) => object.mask && visible(object));
    masks.hidden = masked.length === 0;
    if (masks.hidden) return;
    const { width, height } = masked[0].mask;
    Object.assign(masks, { width, height });
    const context = masks.getContext("2d"), pixels = context.createImageData(width, height);
    const words = new Uint32Array(pixels.data.buffer);
    for (const object of masked) {
      const word = tint(object.colour, lit === null ? 120 : lit === object ? 175 : 35), { inside } = object.mask;
      for (let i = 0; i < words.length; i++) if (inside[i]) words[i] = word;
    }
    context.putImageData(pixels, 0, 0);
  }

  function addBox(object, index) {
    const element = document.createElement("div"), name = document.createElement("span");
    const [x1, y1, x2, y2] = object.box, share = (part, whole) => `${(100 * part) / whole}%`;
    element.className = "box";
    element.classList.toggle("inside", (y1 / size.height) * frame.clientHeight < 24);
    Object.assign(element.style, { left: share(x1, size.width), top: share(y1, size.height), width: share(x2 - x1, size.width), height: share(y2 - y1, size.height), borderColor: object.colour });
    name.style.background = object.colour;
    name.textContent = object.label + (object.score === undefined ? "" : ` ${number(object.score * 100)} %`);
    name.hidden = name.textContent === "";
    element.dataset.index = index;
    element.append(name);
    element.addEventListener("pointerenter", () => light(object));
    element.addEventListener("pointerleave", () => light(null));
    boxes.append(element);
  }

  function addRow(object, index) {
    const row = document.createElement("li"), label = document.createElement("label"), box = document.createElement("input");
    const swatch = document.createElement("span"), name = document.createElement("span");
    row.dataset.index = index;
    box.type = "checkbox";
    box.checked = object.shown;
    box.addEventListener("change", () => {
      object.shown = box.checked;
      paint();
    });
    swatch.className = "swatch";
    swatch.style.background = object.colour;
    name.textContent = object.label || "–";
    label.append(box, swatch, name);
    row.append(label);
    if (canLook && object.part !== undefined) row.append(lookButton(object));
    if (object.score !== undefined) row.append(...score(object));
    row.addEventListener("pointerenter", () => light(object));
    row.addEventListener("pointerleave", () => light(null));
    row.addEventListener("focusin", () => light(object));
    row.addEventListener("focusout", () => light(null));
    list.append(row);
  }

  function lookButton(object) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "quiet look";
    button.textContent = text("heat");
    button.addEventListener("click", () => onLook(object.part));
    button.addEventListener("pointerenter", () => onLook(object.part));
    return button;
  }

  function score(object) {
    const meter = document.createElement("meter"), value = document.createElement("span");
    meter.value = object.score;
    meter.setAttribute("aria-hidden", "true");
    value.className = "score";
    value.textContent = `${number(object.score * 100)} %`;
    return [meter, value];
  }

  function show(found, picture, { look = false } = {}) {
    objects = found;
    canLook = look;
    if (picture) size = picture;
    lit = null;
    boxes.replaceChildren();
    list.replaceChildren();
    if (picture) objects.forEach(addBox);
    objects.forEach(addRow);
    list.hidden = objects.length === 0;
    toggleLabel.hidden = objects.length === 0;
    paint();
  }

  toggle.addEventListener("change", paint);
  return { show, refresh: () => show(objects, size, { look: canLook }), flip: () => toggle.click() };
}
