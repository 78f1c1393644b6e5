// Pictures to begin with, for the model that ships: what others know, nobody can know here.

const samples = {
  world: [
    { file: "meadow.jpg", question: "where is the horse?", detect: "saxophone ; horse", segment: "horse" },
    { file: "room.jpg", question: "where is the sunflower?", detect: "sunflower", segment: "sunflower" },
    { file: "desert.jpg", question: "where is the anchor?", detect: "anchor ; sign", segment: "anchor" },
  ],
};

// `chosen` gets the file's bytes and the words to try with it, by the names of tasks.
export function startSamples({ place, list }, { chosen, failed }) {
  const use = async (sample) => {
    try {
      const response = await fetch(sample.file);
      if (!response.ok) throw new Error(response.statusText);
      await chosen(await response.blob(), sample);
    } catch (error) {
      failed(error);
    }
  };

  function button(sample) {
    const button = document.createElement("button"), image = document.createElement("img");
    button.type = "button";
    button.className = "sample";
    button.setAttribute("aria-label", sample.file.split(".")[0]);
    image.src = sample.file;
    image.alt = "";
    button.append(image);
    button.addEventListener("click", () => use(sample));
    return button;
  }

  return {
    offer(model) {
      const offered = samples[model] ?? [];
      list.replaceChildren(...offered.map(button));
      place.hidden = offered.length === 0;
    },
  };
}
