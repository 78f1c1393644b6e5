// What can be asked, and the prompt that PaliGemma knows it by. `words`: whether it needs some of its own.
import { language, text } from "./strings.js";

export const tasks = [
  { name: "caption", prompt: () => `caption ${language()}` },
  { name: "describe", prompt: () => `describe ${language()}` },
  { name: "question", words: true, prompt: (words) => `answer ${language()} ${words}` },
  { name: "read", prompt: () => "ocr" },
  { name: "detect", words: true, objects: true, prompt: (words) => `detect ${words}` },
  { name: "segment", words: true, objects: true, prompt: (words) => `segment ${words}` },
  { name: "free", words: true, prompt: (words) => words },
];

export const taskNamed = (name) => tasks.find((task) => task.name === name) ?? tasks[0];

// A row of radio buttons, as buttons: one is checked, arrows move, numbers choose.
export function startTasks(group, changed) {
  let current = taskNamed(localStorage.getItem("task"));
  const buttons = tasks.map((task) => {
    const button = document.createElement("button");
    button.type = "button";
    button.setAttribute("role", "radio");
    button.addEventListener("click", () => choose(task));
    group.append(button);
    return button;
  });

  function choose(task, focus) {
    current = task;
    localStorage.setItem("task", task.name);
    show();
    const button = buttons[tasks.indexOf(task)];
    if (focus) button.focus();
    button.scrollIntoView({ block: "nearest", inline: "center" });
    changed(task);
  }

  function show() {
    buttons.forEach((button, i) => {
      button.textContent = text(tasks[i].name);
      button.setAttribute("aria-checked", tasks[i] === current);
      button.tabIndex = tasks[i] === current ? 0 : -1;
    });
  }

  group.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    choose(tasks[(tasks.indexOf(current) + step + tasks.length) % tasks.length], true);
  });
  show();
  return { choose, show, current: () => current };
}
