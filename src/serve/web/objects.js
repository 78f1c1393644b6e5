// Objects out of answers: "<loc Y1><loc X1><loc Y2><loc X2>", perhaps 16 <seg> tokens, a label; " ; " between them.
const pattern = /((?:<loc\d{4}>){4})((?:<seg\d{3}>)*)([^<;\n]*)/g;
const numbers = (text) => [...text.matchAll(/\d+/g)].map(Number);

// Colours of objects, by the order in which their labels come; apart for people who do not tell red from green.
const colours = ["#c8401f", "#1f6f99", "#a86400", "#3f7340", "#7d3fd1", "#00787a", "#c00e4b", "#665c4d"];

// The answer as far as it has come: words without tokens, and objects with boxes in pixels.
export function readAnswer(text, width, height) {
  const labels = new Map();
  const objects = [...text.matchAll(pattern)].flatMap((match) => {
    const [y1, x1, y2, x2] = numbers(match[1]);
    if (y2 <= y1 || x2 <= x1) return [];
    const label = match[3].trim();
    if (!labels.has(label)) labels.set(label, labels.size);
    const box = [(x1 / 1023) * width, (y1 / 1023) * height, (x2 / 1023) * width, (y2 / 1023) * height];
    return [{ label, box, places: [y1, x1, y2, x2], hasMask: match[2] !== "", colour: colours[labels.get(label) % colours.length], shown: true }];
  });
  const words = text.replace(pattern, "").replace(/<(loc\d{4}|seg\d{3})>/g, "").replace(/^[\s;]+|[\s;]+$/g, "");
  return { objects, words };
}

const place = (token) => Number(/^<loc(\d{4})>$/.exec(token)?.[1] ?? NaN);

// How likely the coordinate is, give or take an eighth of the side: among the tokens that the server named.
function nearby(token, side) {
  const here = place(token.text), reach = Math.max(2, side / 8);
  const near = token.top.filter((t) => Math.abs(place(t.token) - here) <= reach).map((t) => Math.exp(t.logprob));
  return Math.min(1, Math.max(Math.exp(token.logprob), near.reduce((sum, p) => sum + p, 0)));
}

// How often a box of this probability is right, as the model's own figures say.
const correct = (p, { slope, intercept }) => 1 / (1 + Math.exp(-(slope * Math.log(p / (1 - p)) + intercept)));

// Gives objects the probability of their boxes and labels, as the answer's tokens have it, corrected.
export function addScores(objects, tokens, correction) {
  let at = 0;
  for (const object of objects) {
    while (at < tokens.length && !(object.places.every((p, i) => place(tokens[at + i]?.text ?? "") === p))) at++;
    if (at >= tokens.length) return;
    const [y1, x1, y2, x2] = object.places;
    object.score = [y2 - y1, x2 - x1, y2 - y1, x2 - x1].reduce((p, side, i) => p * nearby(tokens[at + i], side), 1);
    for (at += 4; at < tokens.length && !/[;]/.test(tokens[at].text) && Number.isNaN(place(tokens[at].text)); at++)
      if (!tokens[at].text.startsWith("<")) object.score *= Math.exp(tokens[at].logprob);
    object.score = correct(object.score, correction);
  }
}

// COCO's compressed run lengths: columns from the left, runs of outside and inside in turn, each number in five-bit
// digits with a sign, and from the third on as the difference to the one two before.
export function readRuns(counts, width, height) {
  const inside = new Uint8Array(width * height), runs = [];
  for (let at = 0; at < counts.length; ) {
    let value = 0, shift = 0, digit;
    do {
      digit = counts.charCodeAt(at++) - 48;
      value |= (digit & 31) << shift;
      shift += 5;
    } while (digit & 32);
    if (digit & 16) value |= -1 << shift;
    runs.push(runs.length > 2 ? value + runs[runs.length - 2] : value);
  }
  let pixel = 0;
  runs.forEach((run, i) => {
    for (const end = pixel + run; pixel < end; pixel++)
      if (i & 1) inside[(pixel % height) * width + Math.floor(pixel / height)] = 1;
  });
  return inside;
}
