// The picture: dropped, pasted, chosen or taken; shown as large as there is room; sent as it came, unless it is of a
// kind that the server does not read or larger than a request may be.
import { text } from "./strings.js";

const sent = ["image/jpeg", "image/png", "image/webp", "image/gif", "image/bmp"];
const most = 12 << 20; // bytes of a file that is sent as it is
const longest = 2048; // pixels of one that is made anew

const toUrl = (blob) =>
  new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result);
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(blob);
  });

const toBlob = (canvas, quality) => new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));

function drawn(source, width, height, side) {
  const scale = Math.min(1, side / Math.max(width, height)), canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
  return canvas;
}

// `changed` hears of every new picture, and of null when it is removed; `failed` of files that are none.
export function startPicture({ stage, empty, frame, tools, image, file }, { changed, resized, failed }) {
  let current = null;

  function fit() {
    if (!current) return;
    const narrow = matchMedia("(max-width: 56rem)").matches;
    const style = getComputedStyle(stage), padding = parseFloat(style.paddingTop) * 2;
    const width = stage.clientWidth - padding;
    const height = narrow ? innerHeight * 0.6 : stage.clientHeight - padding - tools.offsetHeight - 10;
    const scale = Math.min(width / current.width, height / current.height, 4);
    frame.style.width = `${Math.floor(current.width * scale)}px`;
    frame.style.height = `${Math.floor(current.height * scale)}px`;
    resized();
  }

  async function use(blob) {
    const url = URL.createObjectURL(blob);
    image.src = url;
    try {
      await image.decode();
    } catch {
      URL.revokeObjectURL(url);
      if (current) image.src = current.url;
      else image.removeAttribute("src");
      return failed(text("noPicture"));
    }
    const width = image.naturalWidth, height = image.naturalHeight;
    let file = blob;
    if (!sent.includes(blob.type) || blob.size > most) file = await toBlob(drawn(image, width, height, longest), 0.92);
    if (current) URL.revokeObjectURL(current.url);
    current = { blob: file, url, width, height, data: await toUrl(file) };
    show();
    changed(current);
  }

  function remove() {
    if (current) URL.revokeObjectURL(current.url);
    current = null;
    image.removeAttribute("src");
    show();
    changed(null);
  }

  function show() {
    empty.hidden = current !== null;
    frame.hidden = tools.hidden = current === null;
    fit();
  }

  const pictureOf = (items) => [...items].find((item) => item.type.startsWith("image/"));
  file.addEventListener("change", () => {
    if (file.files[0]) use(file.files[0]);
    file.value = "";
  });
  addEventListener("paste", (event) => {
    const item = pictureOf(event.clipboardData?.files ?? []);
    if (item) use(item);
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    stage.classList.add("over");
  });
  addEventListener("dragleave", (event) => event.relatedTarget ?? stage.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    stage.classList.remove("over");
    const dropped = event.dataTransfer.files[0];
    if (dropped) use(dropped);
  });
  new ResizeObserver(fit).observe(stage);
  addEventListener("resize", fit);

  return {
    use,
    remove,
    current: () => current,
    choose(camera) {
      file.toggleAttribute("capture", camera === true);
      file.click();
    },
    thumbnail: () => toBlob(drawn(image, current.width, current.height, 160), 0.8),
  };
}

// A photo from the camera, in a dialog while there is one that may be used.
export function startCamera({ dialog, video, shutter }, { taken, without, failed }) {
  let stream = null;
  dialog.addEventListener("close", () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = video.srcObject = null;
  });
  shutter.addEventListener("click", async () => {
    if (!video.videoWidth) return;
    taken(await toBlob(drawn(video, video.videoWidth, video.videoHeight, longest), 0.92));
    dialog.close();
  });
  return async () => {
    if (!navigator.mediaDevices) return without(); // not over plain HTTP from another machine
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
    } catch {
      return failed(text("noCamera"));
    }
    video.srcObject = stream;
    dialog.showModal();
    await video.play();
  };
}
