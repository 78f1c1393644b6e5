// What the page says, in each of its languages. Texts with {name} are filled in by fill().
const english = {
  skip: "Skip to the question", model: "Model", language: "Language", theme: "Light or dark", help: "Help and keys",
  history: "History", figures: "Load and speed", picture: "Picture", conversation: "Question and answer", task: "Task",
  close: "Close", invite: "Drop a picture here", inviteHint: "or paste one, choose a file, take a photo. It goes to this server and nowhere else.",
  choose: "Choose a picture", take: "Take a photo", shutter: "Take it", samples: "Or try one of these", replace: "Another picture", remove: "Remove",
  marks: "Marks", heat: "Heat", send: "Ask", stop: "Stop", copy: "Copy", copied: "Copied",
  caption: "Caption", describe: "Describe", question: "Question", read: "Read", detect: "Find", segment: "Outline", free: "Free",
  captionAsk: "One sentence about the picture", describeAsk: "Everything there is to say about it", questionAsk: "What do you want to know?",
  readAsk: "All text in the picture", detectAsk: "What to look for: cat ; red car", segmentAsk: "What to outline: cat", freeAsk: "Any prompt, exactly as you type it",
  objects: "Objects", nothing: "Nothing found.", silent: "(no words)",
  explain: "Where did it look?", explaining: "Tracing where each word comes from…", explained: "Point at a word or an object.",
  judge: "Judge this answer", good: "Good answer", bad: "Bad answer", correctionLabel: "What would have been right?",
  keep: "Keep the picture with it", store: "Store", stored: "Stored. Thank you.", takenBack: "Taken back.",
  clear: "Clear", historyHint: "Kept in this browser only.", noHistory: "Nothing asked yet.",
  running: "Answering", waiting: "Waiting", speed: "Tokens per second", first: "First word", between: "Between words", answered: "Answers",
  reuse: "Pictures known", trace: "Tokens per second over the last minutes", traceHint: "Tokens per second, the last four minutes.",
  idle: "idle", busy: "{rate} tokens/s · {running} running", offline: "not reachable",
  about: "PaliGemma looks at pictures and answers in words, boxes and outlines. It can be wrong: what you correct, it can learn.",
  key: "Access key", keyHint: "Only if this server asks for one. Forgotten when the tab closes.",
  keyAsk: "Write a question", keyPicture: "Choose a picture", keyTask: "Choose a task", keyStop: "Stop, or close", keyJudge: "Good, bad", keyMarks: "Show or hide marks",
  keyHistory: "History", needPicture: "First a picture, please.", needWords: "What should I look for?",
  tokens: "{count} tokens", rate: "{rate} tokens/s", firstAfter: "first word after {time}", cut: "cut off at the limit", stopped: "stopped",
  noPicture: "This file is not a picture that this browser can show.", noCamera: "There is no camera that may be used.",
  failed: "That did not work: {reason}", refusedKey: "This server asks for a key: enter it under “?”.", queueFull: "The server is busy. Try again in a moment.",
};

const german = {
  skip: "Zur Frage springen", model: "Modell", language: "Sprache", theme: "Hell oder dunkel", help: "Hilfe und Tasten",
  history: "Verlauf", figures: "Last und Tempo", picture: "Bild", conversation: "Frage und Antwort", task: "Aufgabe",
  close: "Schließen", invite: "Bild hierher ziehen", inviteHint: "oder einfügen, eine Datei wählen, ein Foto machen. Es geht an diesen Server und sonst nirgendwohin.",
  choose: "Bild wählen", take: "Foto machen", shutter: "Auslösen", samples: "Oder eines von diesen", replace: "Anderes Bild", remove: "Entfernen",
  marks: "Markierungen", heat: "Wärme", send: "Fragen", stop: "Anhalten", copy: "Kopieren", copied: "Kopiert",
  caption: "Titel", describe: "Beschreiben", question: "Frage", read: "Lesen", detect: "Finden", segment: "Umreißen", free: "Frei",
  captionAsk: "Ein Satz zum Bild", describeAsk: "Alles, was sich dazu sagen lässt", questionAsk: "Was möchten Sie wissen?",
  readAsk: "Aller Text im Bild", detectAsk: "Wonach suchen: cat ; red car", segmentAsk: "Was umreißen: cat", freeAsk: "Jede Eingabe, genau wie getippt",
  objects: "Gefundenes", nothing: "Nichts gefunden.", silent: "(keine Worte)",
  explain: "Wo hat es hingesehen?", explaining: "Verfolge, woher jedes Wort kommt …", explained: "Zeigen Sie auf ein Wort oder einen Gegenstand.",
  judge: "Antwort beurteilen", good: "Gute Antwort", bad: "Schlechte Antwort", correctionLabel: "Was wäre richtig gewesen?",
  keep: "Bild dazu aufbewahren", store: "Speichern", stored: "Gespeichert. Danke.", takenBack: "Zurückgenommen.",
  clear: "Leeren", historyHint: "Liegt nur in diesem Browser.", noHistory: "Noch nichts gefragt.",
  running: "In Arbeit", waiting: "Wartend", speed: "Token je Sekunde", first: "Erstes Wort", between: "Zwischen Wörtern", answered: "Antworten",
  reuse: "Bekannte Bilder", trace: "Token je Sekunde in den letzten Minuten", traceHint: "Token je Sekunde, die letzten vier Minuten.",
  idle: "bereit", busy: "{rate} Token/s · {running} in Arbeit", offline: "nicht erreichbar",
  about: "PaliGemma sieht Bilder an und antwortet in Worten, Rahmen und Umrissen. Es kann irren: Was Sie berichtigen, kann es lernen.",
  key: "Zugangsschlüssel", keyHint: "Nur wenn dieser Server einen verlangt. Vergessen, sobald der Tab zugeht.",
  keyAsk: "Frage schreiben", keyPicture: "Bild wählen", keyTask: "Aufgabe wählen", keyStop: "Anhalten oder schließen", keyJudge: "Gut, schlecht", keyMarks: "Markierungen zeigen oder verbergen",
  keyHistory: "Verlauf", needPicture: "Zuerst ein Bild, bitte.", needWords: "Wonach soll ich suchen?",
  tokens: "{count} Token", rate: "{rate} Token/s", firstAfter: "erstes Wort nach {time}", cut: "an der Grenze abgeschnitten", stopped: "angehalten",
  noPicture: "Diese Datei ist kein Bild, das dieser Browser zeigen kann.", noCamera: "Keine Kamera, die benutzt werden darf.",
  failed: "Das ging nicht: {reason}", refusedKey: "Dieser Server verlangt einen Schlüssel: unter „?“ eingeben.", queueFull: "Der Server ist ausgelastet. Gleich noch einmal versuchen.",
};

const spanish = {
  skip: "Ir a la pregunta", model: "Modelo", language: "Idioma", theme: "Claro u oscuro", help: "Ayuda y teclas",
  history: "Historial", figures: "Carga y velocidad", picture: "Imagen", conversation: "Pregunta y respuesta", task: "Tarea",
  close: "Cerrar", invite: "Suelte una imagen aquí", inviteHint: "o péguela, elija un archivo, haga una foto. Va a este servidor y a ningún otro sitio.",
  choose: "Elegir imagen", take: "Hacer una foto", shutter: "Disparar", samples: "O pruebe con una de estas", replace: "Otra imagen", remove: "Quitar",
  marks: "Marcas", heat: "Calor", send: "Preguntar", stop: "Parar", copy: "Copiar", copied: "Copiado",
  caption: "Título", describe: "Describir", question: "Pregunta", read: "Leer", detect: "Buscar", segment: "Contornear", free: "Libre",
  captionAsk: "Una frase sobre la imagen", describeAsk: "Todo lo que se puede decir de ella", questionAsk: "¿Qué quiere saber?",
  readAsk: "Todo el texto de la imagen", detectAsk: "Qué buscar: cat ; red car", segmentAsk: "Qué contornear: cat", freeAsk: "Cualquier texto, tal como lo escriba",
  objects: "Objetos", nothing: "No se encontró nada.", silent: "(sin palabras)",
  explain: "¿Adónde miró?", explaining: "Siguiendo el origen de cada palabra…", explained: "Señale una palabra o un objeto.",
  judge: "Juzgar esta respuesta", good: "Buena respuesta", bad: "Mala respuesta", correctionLabel: "¿Qué habría sido correcto?",
  keep: "Guardar también la imagen", store: "Guardar", stored: "Guardado. Gracias.", takenBack: "Retirado.",
  clear: "Vaciar", historyHint: "Solo está en este navegador.", noHistory: "Aún no hay preguntas.",
  running: "En curso", waiting: "En espera", speed: "Tokens por segundo", first: "Primera palabra", between: "Entre palabras", answered: "Respuestas",
  reuse: "Imágenes conocidas", trace: "Tokens por segundo en los últimos minutos", traceHint: "Tokens por segundo, los últimos cuatro minutos.",
  idle: "en reposo", busy: "{rate} tokens/s · {running} en curso", offline: "inaccesible",
  about: "PaliGemma mira imágenes y responde con palabras, cajas y contornos. Puede equivocarse: lo que usted corrige, puede aprenderlo.",
  key: "Clave de acceso", keyHint: "Solo si este servidor la pide. Se olvida al cerrar la pestaña.",
  keyAsk: "Escribir una pregunta", keyPicture: "Elegir imagen", keyTask: "Elegir tarea", keyStop: "Parar o cerrar", keyJudge: "Bien, mal", keyMarks: "Mostrar u ocultar marcas",
  keyHistory: "Historial", needPicture: "Primero una imagen, por favor.", needWords: "¿Qué debo buscar?",
  tokens: "{count} tokens", rate: "{rate} tokens/s", firstAfter: "primera palabra tras {time}", cut: "cortado en el límite", stopped: "detenido",
  noPicture: "Este archivo no es una imagen que el navegador pueda mostrar.", noCamera: "No hay cámara que se pueda usar.",
  failed: "No funcionó: {reason}", refusedKey: "Este servidor pide una clave: escríbala en «?».", queueFull: "El servidor está ocupado. Pruebe en un momento.",
};

const chinese = {
  skip: "跳到提问", model: "模型", language: "语言", theme: "浅色或深色", help: "帮助与快捷键",
  history: "历史", figures: "负载与速度", picture: "图片", conversation: "提问与回答", task: "任务",
  close: "关闭", invite: "把图片拖到这里", inviteHint: "也可以粘贴、选择文件或拍照。图片只会发送到这台服务器。",
  choose: "选择图片", take: "拍照", shutter: "拍摄", samples: "或者试试这些图片", replace: "换一张", remove: "移除",
  marks: "标记", heat: "热图", send: "提问", stop: "停止", copy: "复制", copied: "已复制",
  caption: "标题", describe: "描述", question: "问题", read: "读取文字", detect: "查找", segment: "勾勒", free: "自由输入",
  captionAsk: "用一句话说明图片", describeAsk: "详细描述图片", questionAsk: "您想知道什么？",
  readAsk: "图片中的所有文字", detectAsk: "要查找什么：cat ; red car", segmentAsk: "要勾勒什么：cat", freeAsk: "任意提示，按原样发送",
  objects: "物体", nothing: "没有找到。", silent: "（没有文字）",
  explain: "它看了哪里？", explaining: "正在追踪每个词的来源…", explained: "请指向一个词或物体。",
  judge: "评价这个回答", good: "回答得好", bad: "回答得不好", correctionLabel: "正确的回答是什么？",
  keep: "同时保存图片", store: "保存", stored: "已保存，谢谢。", takenBack: "已撤回。",
  clear: "清空", historyHint: "只保存在此浏览器中。", noHistory: "还没有提问。",
  running: "正在回答", waiting: "等待中", speed: "每秒词元", first: "首词", between: "词间", answered: "回答数",
  reuse: "已知图片", trace: "最近几分钟的每秒词元数", traceHint: "每秒词元数，最近四分钟。",
  idle: "空闲", busy: "{rate} 词元/秒 · {running} 个进行中", offline: "无法连接",
  about: "PaliGemma 观看图片，并用文字、方框和轮廓回答。它可能出错：您的更正可以让它学习。",
  key: "访问密钥", keyHint: "仅在服务器要求时填写。关闭标签页后即忘记。",
  keyAsk: "输入问题", keyPicture: "选择图片", keyTask: "选择任务", keyStop: "停止或关闭", keyJudge: "好，不好", keyMarks: "显示或隐藏标记",
  keyHistory: "历史", needPicture: "请先给一张图片。", needWords: "要查找什么？",
  tokens: "{count} 个词元", rate: "{rate} 词元/秒", firstAfter: "{time} 后出现首词", cut: "达到上限而截断", stopped: "已停止",
  noPicture: "浏览器无法显示这个文件。", noCamera: "没有可用的摄像头。",
  failed: "出错了：{reason}", refusedKey: "此服务器需要密钥：请在“?”中输入。", queueFull: "服务器繁忙，请稍后再试。",
};

const languages = {
  en: { name: "English", strings: english },
  de: { name: "Deutsch", strings: german },
  es: { name: "Español", strings: spanish },
  zh: { name: "中文", strings: chinese },
};

const wanted = () => [localStorage.getItem("language"), ...navigator.languages.map((l) => l.slice(0, 2)), "en"];
let current = wanted().find((code) => code in languages);

export const language = () => current;
export const text = (name) => languages[current].strings[name] ?? name;
export const fill = (name, values) => text(name).replace(/\{(\w+)\}/g, (all, key) => values[key] ?? all);
export const number = (value, digits = 0) => value.toLocaleString(current, { maximumFractionDigits: digits });
export const seconds = (value) => (value < 1 ? `${number(value * 1000)} ms` : `${number(value, 1)} s`);

// Puts the language's texts where the page asks for them.
function write() {
  document.documentElement.lang = current;
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const element of document.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", text(element.dataset.label));
    if (element.matches("button, select")) element.title = text(element.dataset.label);
  }
}

// Fills the menu of languages; `changed` is called after each change, and once now.
export function startLanguage(menu, changed) {
  for (const [code, { name }] of Object.entries(languages)) menu.add(new Option(name, code, false, code === current));
  menu.addEventListener("change", () => {
    current = menu.value;
    localStorage.setItem("language", current);
    write();
    changed();
  });
  write();
  changed();
}
