// The page: what is where, and what follows from what. Each module does one thing and knows none of the others' elements.
import * as api from "./api.js";
import { linkObjects, startHeat, wordsWithMaps } from "./heat.js";
import { startFigures } from "./figures.js";
import { remember, startHistory } from "./history.js";
import { startJudge } from "./judge.js";
import { addScores, readAnswer, readRuns } from "./objects.js";
import { startOverlay } from "./overlay.js";
import { startCamera, startPicture } from "./picture.js";
import { startSamples } from "./samples.js";
import { fill, number, seconds, startLanguage, text } from "./strings.js";
import { startTasks, taskNamed } from "./tasks.js";

const sharpest = 1024; // pixels of the longer side of masks, which models make of 64 x 64

const $ = (id) => document.getElementById(id);

let corrections = new Map(); // of scores, by the model's name
let answer = null; // the one that is shown: { task, prompt, text, tokens, objects, words, picture, ... }
let running = null; // what ends the one in the making
let hints = {}; // words to try with the picture that is shown, by task

/* ---- messages */

function notice(words) {
  $("notice").textContent = words ?? "";
  $("notice").hidden = !words;
}

function failed(error) {
  if (error.name === "AbortError") return;
  const known = { 401: "refusedKey", 429: "queueFull", 503: "queueFull" }[error.status];
  notice(known ? text(known) : fill("failed", { reason: error.message }));
}

/* ---- parts of the page */

const picture = startPicture(
  { stage: $("stage"), empty: $("empty"), frame: $("frame"), tools: $("tools"), image: $("picture"), file: $("file") },
  { changed: pictureChanged, resized: () => overlay?.refresh(), failed: notice },
);
const heat = startHeat({ canvas: $("heat"), strength: $("heat-strength"), strengthLabel: $("heat-label") });
const overlay = startOverlay(
  { frame: $("frame"), boxes: $("boxes"), masks: $("masks"), list: $("objects"), toggle: $("show-marks"), toggleLabel: $("show-marks-label") },
  { onLook: heat.look },
);
const judge = startJudge(
  { thumbs: $("thumbs"), up: $("up"), down: $("down"), form: $("correct"), correction: $("correction"), keep: $("keep"), keepLabel: $("keep-label"), stored: $("stored") },
  { failed },
);
const takePhoto = startCamera({ dialog: $("camera"), video: $("video"), shutter: $("shutter") }, { taken: picture.use, without: () => picture.choose(true), failed: notice });
const samples = startSamples({ place: $("samples"), list: $("sample-list") }, { chosen: trySample, failed });
const openHistory = startHistory({ dialog: $("history"), list: $("past"), clear: $("clear-history") }, showAgain);
const chooser = startTasks($("tasks"), taskChanged);
const figures = startFigures({ dot: $("pulse-dot"), line: $("pulse-text"), button: $("pulse"), dialog: $("figures"), numbers: $("numbers"), canvas: $("trace") });

/* ---- asking */

function taskChanged(task) {
  const words = text(`${task.name}Ask`);
  $("prompt").placeholder = words;
  $("prompt-label").textContent = words;
  $("prompt").disabled = !task.words;
  if (!task.words) $("prompt").value = "";
  else if (hints[task.name] && isHint($("prompt").value)) $("prompt").value = hints[task.name];
}

// Whether nothing stands there that somebody typed.
const isHint = (words) => !words || Object.values(hints).includes(words);

// A picture that comes with the program is asked about at once.
async function trySample(blob, words) {
  await picture.use(blob);
  hints = words;
  chooser.choose(taskNamed("caption"));
  await ask();
}

function pictureChanged() {
  running?.abort();
  if (isHint($("prompt").value)) $("prompt").value = "";
  hints = {};
  notice();
  showAnswer(null);
}

// Why it cannot be asked yet; undefined: it can.
function missing(task, words) {
  if (task.words && !words) return "needWords";
  if (!picture.current() && task.name !== "free") return "needPicture";
}

async function ask() {
  const task = chooser.current(), words = $("prompt").value.trim(), shown = picture.current();
  const why = missing(task, words);
  notice(why && text(why));
  if (why) return why === "needWords" ? $("prompt").focus() : $("choose").focus();
  running?.abort();
  const control = (running = new AbortController());
  const begun = performance.now();
  const made = { time: Date.now(), task: task.name, question: words || text(task.name), prompt: task.prompt(words), text: "", tokens: [], shown };
  made.thumbnail = shown ? picture.thumbnail().catch(() => null) : null; // of this picture, also when another one is chosen meanwhile
  showAnswer(made);
  setBusy(true);
  try {
    const request = { model: $("model").value, prompt: made.prompt, picture: shown?.data, tokens: task.objects ? 20 : 0 };
    await api.ask(request, control.signal, (chunk) => take(made, chunk, begun));
    await finish(made, control.signal);
  } catch (error) {
    if (running === control && error.name === "AbortError") made.finish = "stopped";
    failed(error);
  }
  if (running !== control) return; // another question has taken its place
  running = null;
  setBusy(false);
  complete(made, begun);
}

function take(made, chunk, begun) {
  if (chunk.text && !made.firstAfter) made.firstAfter = (performance.now() - begun) / 1000;
  made.text += chunk.text;
  made.tokens.push(...chunk.tokens);
  for (const name of ["id", "version", "model", "finish", "usage"]) made[name] = chunk[name] ?? made[name];
  if (answer === made && chunk.text) read(made);
}

// Words and objects of what has come so far.
function read(made) {
  const size = made.shown ?? { width: 1, height: 1 };
  Object.assign(made, readAnswer(made.text, size.width, size.height));
  addScores(made.objects, made.tokens, corrections.get(made.model) ?? { slope: 1, intercept: 0 });
  show(made);
}

// Masks come from the server, which has the codec.
async function finish(made, signal) {
  read(made);
  if (!made.shown || !made.objects.some((object) => object.hasMask)) return;
  const scale = Math.min(1, sharpest / Math.max(made.shown.width, made.shown.height));
  const width = Math.ceil(made.shown.width * scale), height = Math.ceil(made.shown.height * scale);
  const { objects } = await api.readObjects({ text: made.text, width, height }, signal);
  objects.forEach((object, i) => {
    if (object.mask && made.objects[i]) made.objects[i].mask = { inside: readRuns(object.mask.counts, width, height), width, height };
  });
}

function complete(made, begun) {
  made.seconds = (performance.now() - begun) / 1000;
  if (!made.text && !made.finish) return showAnswer(null);
  offer(made);
  keep(made);
}

// What can be done with an answer that is complete.
function offer(made) {
  if (answer !== made) return;
  const { id, task, prompt, text: words, model, version } = made;
  show(made);
  $("after").hidden = false;
  $("explain").hidden = !made.shown || words === "";
  judge.set({ request: id, task, prompt, text: words, model, version, settings: { temperature: 0 }, picture: made.shown?.data });
}

async function keep(made) {
  const thumbnail = await made.thumbnail;
  const { time, task, question, prompt, id, version, model, tokens, usage, finish } = made;
  remember({
    time, task, question, prompt, id, version, model, tokens, usage, finish, thumbnail, text: made.text, seconds: made.seconds,
    firstAfter: made.firstAfter, picture: made.shown?.blob, summary: made.words || made.objects.map((object) => object.label).join(", ") || text("nothing"),
  }).catch(() => {}); // a browser without room keeps no history
}

/* ---- showing */

function setBusy(busy) {
  $("answer").setAttribute("aria-busy", busy);
  $("send").hidden = busy;
  $("stop").hidden = !busy;
}

function showAnswer(made) {
  answer = made;
  heat.set(null);
  judge.set(null);
  $("explain").setAttribute("aria-pressed", false);
  $("answer").hidden = made === null;
  $("after").hidden = true;
  $("question").textContent = made ? `${text(made.task)} · ${made.prompt}` : "";
  $("words").textContent = $("meta").textContent = "";
  overlay.show([], picture.current());
}

function show(made) {
  const found = taskNamed(made.task).objects;
  $("words").textContent = made.words || (running || made.objects.length ? "" : text(found ? "nothing" : "silent"));
  overlay.show(made.objects, made.shown);
  $("meta").textContent = describe(made);
}

function describe(made) {
  const count = made.usage?.completion_tokens ?? made.tokens.length, parts = [];
  if (count) parts.push(fill("tokens", { count: number(count) }));
  const writing = made.seconds - made.firstAfter; // hardly any where all came in one piece, which says nothing of speed
  if (writing > 0.05) parts.push(fill("rate", { rate: number((count - 1) / writing, 1) }));
  if (made.firstAfter) parts.push(fill("firstAfter", { time: seconds(made.firstAfter) }));
  if (made.finish === "length") parts.push(text("cut"));
  if (made.finish === "stopped") parts.push(text("stopped"));
  return parts.join(" · ");
}

async function explain() {
  const made = answer, button = $("explain");
  if (button.getAttribute("aria-pressed") === "true") {
    button.setAttribute("aria-pressed", false);
    heat.set(null);
    return show(made);
  }
  button.disabled = true;
  $("stored").textContent = text("explaining");
  try {
    made.explanation ??= await api.explain({ model: made.model, prompt: made.prompt, image: made.shown.data, answer: made.text });
    $("stored").textContent = text("explained");
    if (answer === made) showExplanation(made);
  } catch (error) {
    $("stored").textContent = "";
    failed(error);
  }
  button.disabled = false;
}

function showExplanation(made) {
  const { parts } = made.explanation;
  $("explain").setAttribute("aria-pressed", true);
  heat.set(made.explanation);
  if (made.words) $("words").replaceChildren(...wordsWithMaps(made.words, parts, heat.look));
  linkObjects(made.objects, parts);
  overlay.show(made.objects, made.shown, { look: true });
}

async function showAgain(entry) {
  running?.abort();
  if (entry.picture) await picture.use(entry.picture);
  else picture.remove();
  const made = { ...entry, shown: picture.current() };
  chooser.choose(taskNamed(entry.task));
  if (taskNamed(entry.task).words) $("prompt").value = entry.question;
  showAnswer(made);
  try {
    await finish(made);
  } catch (error) {
    failed(error);
  }
  offer(made);
}

/* ---- controls */

const on = (id, event, run) => $(id).addEventListener(event, run);

on("ask", "submit", (event) => {
  event.preventDefault();
  ask();
});
on("prompt", "keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    ask();
  }
});
on("stop", "click", () => running?.abort());
on("choose", "click", () => picture.choose());
on("replace", "click", () => picture.choose());
on("take", "click", takePhoto);
on("remove", "click", picture.remove);
on("explain", "click", explain);
$("copy").hidden = !navigator.clipboard; // browsers give it to safe pages only
on("copy", "click", async () => {
  await navigator.clipboard.writeText(answer.text);
  $("stored").textContent = text("copied");
});
on("open-history", "click", openHistory);
on("open-help", "click", () => $("help").showModal());
on("key", "change", () => {
  api.accessKey.set($("key").value);
  open();
});
for (const button of document.querySelectorAll("[data-close]")) button.addEventListener("click", () => button.closest("dialog").close());
for (const dialog of document.querySelectorAll("dialog")) dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

const keys = {
  "/": ["keyAsk", () => $("prompt").focus()],
  o: ["keyPicture", () => picture.choose()],
  "1–7": ["keyTask"],
  Esc: ["keyStop"],
  "+ −": ["keyJudge"],
  "+": [null, () => judge.press("up")],
  "-": [null, () => judge.press("down")],
  m: ["keyMarks", overlay.flip],
  h: ["keyHistory", openHistory],
  "?": ["help", () => $("help").showModal()],
};

function pressed(event) {
  if (event.key === "Escape") return running?.abort();
  if (event.target.matches("input, textarea, select") || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]")) return;
  const task = "1234567".indexOf(event.key), run = keys[event.key]?.[1];
  if (task >= 0 && $("tasks").children[task]) $("tasks").children[task].click();
  else if (run) {
    event.preventDefault();
    run();
  }
}
addEventListener("keydown", pressed);

function showKeys() {
  $("keys").replaceChildren();
  for (const [key, [name]] of Object.entries(keys)) {
    if (!name) continue;
    const term = document.createElement("dt"), meaning = document.createElement("dd"), cap = document.createElement("kbd");
    cap.textContent = key;
    meaning.textContent = text(name);
    term.append(cap);
    $("keys").append(term, meaning);
  }
}

/* ---- light and dark */

const dark = matchMedia("(prefers-color-scheme: dark)");
const setTheme = () => (document.documentElement.dataset.theme = localStorage.getItem("theme") ?? (dark.matches ? "dark" : "light"));
on("theme", "click", () => {
  localStorage.setItem("theme", document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  setTheme();
  figures.refresh();
});
dark.addEventListener("change", setTheme);
setTheme();

/* ---- beginning */

function languageChanged() {
  chooser.show();
  taskChanged(chooser.current());
  showKeys();
  figures.refresh();
  if (answer && !running) {
    $("question").textContent = `${text(answer.task)} · ${answer.prompt}`;
    show(answer);
  }
}

// Models that can look or write; a choice of one is none.
async function open() {
  try {
    const list = (await api.models()).filter((model) => model.kind !== "siglip");
    corrections = new Map(list.map(({ id, score_correction: correction }) => [id, correction]));
    $("model").replaceChildren(...list.map(({ id }) => new Option(id, id)));
    $("model").hidden = list.length < 2;
    samples.offer(list[0]?.id);
    notice();
  } catch (error) {
    failed(error);
  }
  judge.open();
}

$("key").value = api.accessKey.get();
startLanguage($("language"), languageChanged);
open();
