"""The reference's own example, with one import line to choose: it prints the same text with either package.

    python seed_snippet.py paligemma|transformers FOLDER PICTURE PROMPT
"""
import sys

from PIL import Image

if sys.argv[1] == "transformers":
    from transformers import AutoProcessor, PaliGemmaForConditionalGeneration
else:
    from paligemma import AutoProcessor, PaliGemmaForConditionalGeneration

folder, picture, prompt = sys.argv[2:]
tensors = "pt" if sys.argv[1] == "transformers" else "np"
model = PaliGemmaForConditionalGeneration.from_pretrained(folder).eval()
processor = AutoProcessor.from_pretrained(folder)
image = Image.open(picture)

inputs = processor(text=prompt, images=image, return_tensors=tensors)
generate_ids = model.generate(**inputs, max_length=30)
print(processor.batch_decode(generate_ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)[0])
