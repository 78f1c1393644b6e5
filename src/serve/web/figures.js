// How busy the server is: a line in the header, and a card with more. It asks every two seconds while anybody looks.
import * as api from "./api.js";
import { fill, number, seconds, text } from "./strings.js";

const every = 2000, kept = 120;

// The middle of what was counted in buckets since `before`: the bound below which half of it lies.
function median(times, before) {
  const counts = times.buckets.map((count, i) => count - (before?.buckets[i] ?? 0));
  const total = counts.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  const at = counts.findIndex((count) => (seen += count) * 2 >= total);
  return total === 0 ? null : times.bounds[at] ?? times.bounds.at(-1);
}

export function startFigures({ dot, line, button, dialog, numbers, canvas }) {
  let last = null, first = null, rates = [], timer = null;

  function rate(now) {
    if (!last || now.at <= last.at) return 0;
    return Math.max(0, (1000 * (now.tokens - last.tokens)) / (now.at - last.at));
  }

  function show(now) {
    const speed = rates.at(-1) ?? 0, busy = now.running + now.waiting > 0;
    dot.className = busy ? "dot busy" : "dot";
    line.textContent = busy || speed > 0.5 ? fill("busy", { rate: number(speed, speed < 10 ? 1 : 0), running: number(now.running) }) : text("idle");
    if (!dialog.open) return;
    const time = (times) => (times && median(times) !== null ? seconds(median(times)) : "–");
    const rows = [
      ["running", number(now.running)], ["waiting", number(now.waiting)], ["speed", number(speed, 1)],
      ["first", time(now.first)], ["between", time(now.between)], ["answered", number(now.answers)],
    ];
    if (now.looked > 0) rows.push(["reuse", `${number((100 * now.known) / now.looked)} %`]);
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
      first ??= now;
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

// The server's names, as this page calls them.
function read(f) {
  return {
    at: performance.now(), running: f.running, waiting: f.waiting, tokens: f.answer_tokens, answers: f.finished,
    first: f.first_token, between: f.between_tokens, known: f.feature_hits, looked: f.feature_hits + f.feature_misses,
  };
}
