// Thumbs and corrections, which the server stores where it was told to.
import * as api from "./api.js";
import { text } from "./strings.js";

export function startJudge({ thumbs, up, down, form, correction, keep, keepLabel, stored }, { failed }) {
  let terms = null, answer = null, judgement = null;
  let last = Promise.resolve(); // judgements go one after the other, so that the last one counts

  function show() {
    thumbs.hidden = !terms || !answer;
    up.setAttribute("aria-pressed", judgement === "up");
    down.setAttribute("aria-pressed", judgement === "down");
    form.hidden = thumbs.hidden || judgement !== "down";
    keepLabel.hidden = !terms?.keep_images || !answer?.picture;
  }

  async function send() {
    const { request, task, prompt, text: words, model, version, settings, picture } = answer;
    const right = correction.value.trim(), wrong = judgement === "down" && right && right !== words;
    const body = { request, task, prompt, answer: words, model, system_fingerprint: version, settings, judgement: judgement ?? "none" };
    if (wrong) body.correction = right;
    if (picture) Object.assign(body, { image: picture, keep_image: keep.checked && terms.keep_images });
    const told = judgement ? "stored" : "takenBack";
    last = last.then(() => api.judge(body)).then(() => { stored.textContent = text(told); }, failed);
    await last;
  }

  function press(value) {
    if (thumbs.hidden) return;
    judgement = judgement === value ? null : value;
    stored.textContent = "";
    show();
    if (judgement === "down") correction.focus();
    send();
  }

  up.addEventListener("click", () => press("up"));
  down.addEventListener("click", () => press("down"));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send();
  });
  correction.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
  });

  return {
    // Asks what the server takes: judgements, and pictures with them.
    async open() {
      const offers = await api.offers().catch(() => null);
      terms = offers?.feedback ? offers : null;
      show();
    },
    // The answer that is judged from now on; null: none.
    set(next) {
      answer = next;
      judgement = null;
      correction.value = next?.text ?? "";
      stored.textContent = "";
      show();
    },
    press,
  };
}
