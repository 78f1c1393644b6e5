// What was asked in this browser, in its IndexedDB: the last hundred, and nothing of it anywhere else.
import { text } from "./strings.js";

const most = 100;

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const database = (() => {
  const request = indexedDB.open("paligemma", 1);
  request.onupgradeneeded = () => request.result.createObjectStore("answers", { keyPath: "time" });
  return done(request).catch(() => null); // a browser that keeps nothing
})();

const store = async (mode) => (await database)?.transaction("answers", mode).objectStore("answers");

export async function remember(entry) {
  const answers = await store("readwrite");
  if (!answers) return;
  await done(answers.put(entry));
  const keys = await done(answers.getAllKeys());
  for (const key of keys.slice(0, -most)) answers.delete(key);
}

export function startHistory({ dialog, list, clear }, onChoose) {
  let urls = [];

  function release() {
    urls.forEach((url) => URL.revokeObjectURL(url));
    urls = [];
  }

  function row(entry) {
    const item = document.createElement("li"), button = document.createElement("button"), image = document.createElement("img");
    const words = document.createElement("span"), answer = document.createElement("span"), question = document.createElement("small");
    button.type = "button";
    image.alt = "";
    if (entry.thumbnail) {
      urls.push(URL.createObjectURL(entry.thumbnail));
      image.src = urls.at(-1);
    }
    answer.className = "then";
    answer.textContent = entry.summary;
    question.textContent = entry.question;
    words.append(answer, question);
    button.append(image, words);
    button.addEventListener("click", () => {
      dialog.close();
      onChoose(entry);
    });
    item.append(button);
    return item;
  }

  async function show() {
    const answers = await store("readonly"), entries = answers ? await done(answers.getAll()) : [];
    release();
    list.replaceChildren(...entries.reverse().map(row));
    if (!entries.length) list.textContent = text("noHistory");
  }

  clear.addEventListener("click", async () => {
    const answers = await store("readwrite");
    if (answers) await done(answers.clear());
    show();
  });
  dialog.addEventListener("close", release);
  return async () => {
    await show();
    if (!dialog.open) dialog.showModal();
  };
}
