"""generate() as transformers' users call it: its arguments as requests, answers as sequences of ids."""
import queue

import numpy as np

from ._errors import refuse_unsupported
from ._outputs import GenerateOutput, like

# transformers' names of what a request is told.
NAMES = {"max_new_tokens": "max_new_tokens", "max_length": "max_length", "min_new_tokens": "min_new_tokens",
         "temperature": "temperature", "top_k": "top_k", "top_p": "top_p", "min_p": "min_p",
         "repetition_penalty": "repetition_penalty", "no_repeat_ngram_size": "no_repeat_ngram", "num_beams": "beams",
         "length_penalty": "length_penalty", "early_stopping": "early_stopping", "seed": "seed"}
KNOWN = {*NAMES, "do_sample", "num_return_sequences", "stop_strings", "streamer", "return_dict_in_generate",
         "output_logits", "tokenizer", "use_cache", "pad_token_id"}
SAMPLING = {"temperature": 1.0, "top_k": 50, "top_p": 1.0}  # transformers' values where nothing says otherwise


class GenerationConfig:
    """Arguments of generate(), kept together."""

    def __init__(self, **arguments):
        self.__dict__.update(arguments)

    def to_dict(self):
        return dict(vars(self))


def decoding_of(arguments, stored):
    """(decoding, sample): what a pg_request is told. `stored`: generation_config.json, which the library heeds where
    nothing is said."""
    decoding = {ours: arguments[theirs] for theirs, ours in NAMES.items() if arguments.get(theirs) is not None}
    sample = arguments.get("do_sample")
    if sample is None:
        sample = stored.get("do_sample", False)
    for name, usual in SAMPLING.items():
        if sample:
            decoding.setdefault(name, stored.get(name, usual))
        else:  # as transformers, which warns
            decoding.pop(name, None)
    if not sample:
        decoding.pop("min_p", None)
        decoding["temperature"] = 0
    if decoding.get("early_stopping") not in (None, True, False):
        raise NotImplementedError(f"generate: early_stopping={decoding['early_stopping']!r}, expected True or False")
    return decoding, sample


def repeat_requests(requests, decoding, sample, returned):
    """Each request as often as sequences are wanted of it: sampled ones with different seeds, beams all at once."""
    beams = decoding.get("beams", 1)
    if beams > 1 and sample:
        raise NotImplementedError("generate: the arguments num_beams and do_sample do not go together")
    if returned > 1 and beams < returned and not sample:
        raise ValueError(f"num_return_sequences={returned} needs do_sample=True or num_beams of as many")
    for request in requests:
        request.decoding = dict(decoding)
        if beams > 1:
            request.decoding["beams_returned"] = returned
    if beams > 1 or not sample:
        return requests
    repeated = [type(request)(**vars(request)) for request in requests for _ in range(returned)]
    first = decoding.get("seed")
    for i, request in enumerate(repeated):  # numpy's generator: transformers.set_seed sets it, too
        seed = np.random.randint(0, 2 ** 31) if first is None else first + i
        request.decoding = {**request.decoding, "seed": int(seed)}
    return repeated


def sequences_of(rows, answers, pad):
    """[answers, prompt + longest] int64: each prompt as it was given, its answer, padding."""
    tails = [beam.tokens for answer in answers for beam in answer.beams] or [answer.tokens for answer in answers]
    each, width = len(tails) // len(rows), rows.shape[1]
    out = np.full((len(tails), width + max(map(len, tails), default=0)), pad, np.int64)
    for i, tail in enumerate(tails):
        out[i, :width] = rows[i // each]
        out[i, width:width + len(tail)] = tail
    return out


class Listener:
    """What sees the steps of a call: a streamer, and logits that are kept."""

    def __init__(self, streamer, keep_logits, count):
        if streamer is not None and count != 1:
            raise ValueError("a streamer listens to one sequence, not to several")
        self.streamer, self.logits = streamer, [[] for _ in range(count)] if keep_logits else None

    @property
    def on_step(self):
        return self._see if self.streamer is not None or self.logits is not None else None

    def _see(self, index, step):
        if self.logits is not None:
            self.logits[index].append(np.ctypeslib.as_array(step.logits, (step.count,)).copy())
        if self.streamer is not None:
            self.streamer.put(np.array([step.token], np.int64))

    def stacked_logits(self):
        """transformers' form: a [rows, vocabulary] for each step; rows that have ended are zero."""
        longest = max(map(len, self.logits))
        nothing = np.zeros_like(self.logits[0][0])
        return tuple(np.stack([row[i] if i < len(row) else nothing for row in self.logits]) for i in range(longest))


def generate(model, batch, arguments):
    """generate() of a model: `batch`, its tensors; `arguments`, all others."""
    config = arguments.pop("generation_config", None)
    if config is not None:
        arguments = {**config.to_dict(), **{name: value for name, value in arguments.items() if value is not None}}
    refuse_unsupported("generate", {name: value for name, value in arguments.items() if name not in KNOWN},
                       {"cache_implementation": ("dynamic",), "num_beam_groups": (1,)})
    decoding, sample = decoding_of(arguments, model.stored_generation)
    if decoding.get("beams", 1) > 1 and (arguments.get("streamer") or arguments.get("output_logits")):
        raise NotImplementedError("generate: the arguments streamer and output_logits do not go with num_beams")
    stop = arguments.get("stop_strings") or ()
    rows, requests = model.requests_of(**batch)
    for request in requests:
        request.stop = (stop,) if isinstance(stop, str) else tuple(stop)
    requests = repeat_requests(requests, decoding, sample, arguments.get("num_return_sequences") or 1)
    listener = Listener(arguments.get("streamer"), arguments.get("output_logits"), len(requests))
    if listener.streamer is not None:
        listener.streamer.put(rows)
    answers = model.engine.generate(requests, on_step=listener.on_step)
    if listener.streamer is not None:
        listener.streamer.end()
    pad = arguments.get("pad_token_id")
    ids = sequences_of(rows, answers, model.pad_token_id if pad is None else pad)
    sequences = like(batch["input_ids"], ids)
    if not arguments.get("return_dict_in_generate"):
        return sequences
    return _output_of(batch, sequences, answers, listener)


def _output_of(batch, sequences, answers, listener):
    output = GenerateOutput(sequences=sequences)
    beams = [beam.score for answer in answers for beam in answer.beams]
    if beams:
        output["sequences_scores"] = like(batch["input_ids"], np.array(beams, np.float32))
    if listener.logits is not None:
        output["logits"] = tuple(like(batch["input_ids"], step) for step in listener.stacked_logits())
    return output


# ---------------------------------------------------------------- streamers


class TextStreamer:
    """Prints an answer as it is made."""

    def __init__(self, tokenizer, skip_prompt=False, **decoding):
        self.tokenizer = getattr(tokenizer, "tokenizer", tokenizer)
        self.skip_prompt, self.decoding = skip_prompt, decoding
        self._ids, self._shown, self._prompt_seen = [], 0, False

    def put(self, ids):
        if not self._prompt_seen and self.skip_prompt:
            self._prompt_seen = True
            return
        self._prompt_seen = True
        self._ids += np.ravel(ids).tolist()
        text = self.tokenizer.decode(self._ids, **self.decoding)
        if not text.endswith("\N{REPLACEMENT CHARACTER}"):  # perhaps the beginning of a character
            self.on_finalized_text(text[self._shown:])
            self._shown = len(text)

    def end(self):
        text = self.tokenizer.decode(self._ids, **self.decoding) if self._ids else ""
        self.on_finalized_text(text[self._shown:], stream_end=True)
        self._ids, self._shown, self._prompt_seen = [], 0, False

    def on_finalized_text(self, text, stream_end=False):
        print(text, flush=True, end="\n" if stream_end else "")


class TextIteratorStreamer(TextStreamer):
    """The same as an iterator, for a generate() that runs in another thread."""

    def __init__(self, tokenizer, skip_prompt=False, timeout=None, **decoding):
        super().__init__(tokenizer, skip_prompt, **decoding)
        self._pieces, self._timeout = queue.Queue(), timeout

    def on_finalized_text(self, text, stream_end=False):
        self._pieces.put(text)
        if stream_end:
            self._pieces.put(None)

    def __iter__(self):
        return self

    def __next__(self):
        piece = self._pieces.get(timeout=self._timeout)
        if piece is None:
            raise StopIteration
        return piece
