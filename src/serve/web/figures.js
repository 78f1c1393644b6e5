// How busy the server is: a line in the header, and a card with more. It asks every two seconds while anybody looks.
import * as api from "./api.js";
import { fill, number, seconds, text } from "./strings.js";

const every = 2000, kept = 120;

export function startFigures({ dot, line, button, dialog, numbers, canvas }) {
  let last = null, rates = [], timer = null;

  function rate(now) {
    if (!last || now.at <= last.at) return 0;
    return Math.max(0, (1000 * (now.tokens - last.tokens)) / (now.at - last.at));
  }

  function show(now) {
    const speed = rates.at(-1) ?? 0, busy = now.running + now.waiting > 0;
    dot.className = busy ? "dot busy" : "dot";
    line.textContent = busy ? fill("busy", { rate: number(speed, speed < 10 ? 1 : 0), running: number(now.running) }) : text("idle");
    if (!dialog.open) return;
    const time = (value) => (value === null ? "–" : seconds(value));
    const rows = [
      ["running", number(now.running)], ["waiting", number(now.waiting)], ["speed", number(speed, 1)],
      ["first", time(now.first)], ["between", time(now.between)], ["answered", number(now.answers)],
    ];
    if (now.pictures > 0) rows.push(["reuse", `${number((100 * now.known) / now.pictures)} %`]);
    numbers.replaceChildren(...rows.map(([name, value]) => {
      const row = document.createElement("div"), term = document.createElement("dt"), figure = document.createElement("dd");
      term.textContent = text(name);
      figure.textContent = value;
      row.append(term, figure);
      return row;
    }));
    draw();
  }

  function draw() {
    const context = canvas.getContext("2d"), { width, height } = canvas, peak = Math.max(1, ...rates);
    const at = (i) => [width - 8 - ((rates.length - 1 - i) * (width - 16)) / (kept - 1), height - 10 - (rates[i] / peak) * (height - 34)];
    const style = getComputedStyle(document.documentElement);
    context.clearRect(0, 0, width, height);
    context.fillStyle = style.getPropertyValue("--soft");
    context.font = "16px sans-serif";
    context.fillText(number(peak, 1), 10, 22);
    context.strokeStyle = style.getPropertyValue("--accent");
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.beginPath();
    rates.forEach((_, i) => context.lineTo(...at(i)));
    context.stroke();
  }

  async function ask() {
    clearTimeout(timer);
    try {
      const now = read(await api.figures());
      if (last) rates = [...rates, rate(now)].slice(-kept);
      show(now);
      last = now;
    } catch {
      dot.className = "dot off";
      line.textContent = text("offline");
      last = null;
    }
    if (!document.hidden) timer = setTimeout(ask, every);
  }

  document.addEventListener("visibilitychange", () => document.hidden || ask());
  button.addEventListener("click", () => {
    dialog.showModal();
    if (last) show(last);
  });
  ask();
  return { refresh: () => last && show(last) };
}

// The server's names, as this page calls them; a server without a decoder has no scheduler.
function read({ scheduler: s }) {
  const at = performance.now();
  if (!s) return { at, running: 0, waiting: 0, tokens: 0, answers: 0, first: null, between: null, known: 0, pictures: 0 };
  return {
    at, running: s.running, waiting: s.waiting, tokens: s.generation_tokens, answers: s.request_seconds.count,
    first: s.first_token_seconds.p50, between: s.inter_token_seconds.p50, known: s.picture_cache_hits, pictures: s.pictures,
  };
}
