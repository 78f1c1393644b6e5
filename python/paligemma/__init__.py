"""PaliGemma, SigLIP and Gemma over libpaligemma.

Plain:         m = paligemma.load("paligemma-3b-mix-224"); m.caption("cow.jpg"); m.detect("cow.jpg", "cow").boxes
transformers': from paligemma import AutoProcessor, PaliGemmaForConditionalGeneration
Training:      paligemma.Trainer("paligemma-3b-pt-224", rows, out="runs/mine", recipe="lora").train(print)
"""
from ._configuration import AutoConfig, GemmaConfig, PaliGemmaConfig, SiglipConfig, SiglipTextConfig, SiglipVisionConfig
from ._engine import Answer, Beam
from ._errors import (ArgumentError, BusyError, CancelledError, DeadlineError, DeviceError, Error, FileError,
                      FormatError, LimitError, OutOfMemoryError, UnsupportedError)
from ._generation import GenerationConfig, TextIteratorStreamer, TextStreamer
from ._header import VERSION as __version__
from ._model import Model, load
from ._modeling import (AutoModel, AutoModelForCausalLM, AutoModelForImageTextToText, AutoModelForVision2Seq,
                        GemmaForCausalLM, PaliGemmaForConditionalGeneration, SiglipModel)
from ._objects import Detections, parse
from ._picture import Picture
from ._processor import (AutoProcessor, AutoTokenizer, ImageProcessor, PaliGemmaProcessor, SiglipProcessor)
from ._tokenizer import BatchEncoding, BatchFeature, Tokenizer
from ._training import Measurement, Report, Trainer
from ._training import settings as training_settings

__all__ = [
    "Answer", "ArgumentError", "AutoConfig", "AutoModel", "AutoModelForCausalLM", "AutoModelForImageTextToText",
    "AutoModelForVision2Seq", "AutoProcessor", "AutoTokenizer", "BatchEncoding", "BatchFeature", "Beam", "BusyError",
    "CancelledError", "DeadlineError", "Detections", "DeviceError", "Error", "FileError", "FormatError", "GemmaConfig",
    "GemmaForCausalLM", "GenerationConfig", "ImageProcessor", "LimitError", "load", "Measurement", "OutOfMemoryError",
    "Model", "PaliGemmaConfig", "PaliGemmaForConditionalGeneration", "PaliGemmaProcessor", "parse", "Picture", "Report",
    "SiglipConfig", "SiglipModel", "SiglipProcessor", "SiglipTextConfig", "SiglipVisionConfig", "TextIteratorStreamer",
    "TextStreamer", "Tokenizer", "Trainer", "training_settings", "UnsupportedError",
]
