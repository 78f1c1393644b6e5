// Thumbs and corrections, which the server stores where it was told to.
import * as api from "./api.js";
import { text } from "./strings.js";

export function startJudge({ thumbs, up, down, form, correction, keep, keepLabel, stored }, { failed }) {
  let terms = null, answer = null, judgement = null;

  function show() {
    thumbs.hidden = !terms || !answer;
    up.setAttribute("aria-pressed", judgement === "up");
    down.setAttribute("aria-pressed", judgement === "down");
    form.hidden = thumbs.hidden || judgement !== "down";
    keepLabel.hidden = !terms?.pictures || !answer?.picture;
  }

  async function send() {
    const picture = answer.picture ? { picture: answer.picture, keep_picture: keep.checked && terms.pictures } : {};
    const { request, task, prompt, text: words, model, version, settings } = answer;
    try {
      await api.judge({ request, task, prompt, answer: words, model, version, settings, judgement: judgement ?? "none", correction: correction.value.trim() || undefined, ...picture });
      stored.textContent = text(judgement ? "stored" : "takenBack");
      answer.onJudged?.(judgement, correction.value);
    } catch (error) {
      failed(error);
    }
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
    // What the server takes, as { pictures }; null: nothing.
    async open() {
      terms = await api.feedbackTerms().catch(() => null);
      show();
    },
    // The answer that is judged from now on; null: none.
    set(next) {
      answer = next;
      judgement = next?.judgement ?? null;
      correction.value = next?.correction ?? next?.text ?? "";
      stored.textContent = "";
      show();
    },
    press,
  };
}
