"""The declarations of paligemma.h, written by tools/make_bindings.py from the header. Not to be edited."""
from ctypes import (CFUNCTYPE, POINTER, Structure, c_bool, c_char, c_char_p, c_double, c_float, c_int, c_int32,
                    c_int64, c_size_t, c_uint, c_uint8, c_uint64, c_void_p)

VERSION = "0.1.0"

PG_OK = 0
PG_ERROR_ARGUMENT = -1
PG_ERROR_MEMORY = -2
PG_ERROR_FILE = -3
PG_ERROR_FORMAT = -4
PG_ERROR_UNSUPPORTED = -5
PG_ERROR_LIMIT = -6
PG_ERROR_CANCELLED = -7
PG_ERROR_BUSY = -8
PG_ERROR_DEADLINE = -9
PG_ERROR_DEVICE = -10


class pg_image(Structure):
    pass


class pg_image_options(Structure):
    _fields_ = [
        ("keep_orientation", c_bool),
        ("max_pixels", c_uint64),
    ]

PG_RESIZE_PILLOW13 = 0
PG_RESIZE_CLASSIC = 1


class pg_tokenizer(Structure):
    pass

PG_ENCODE_PLAIN = 0
PG_ENCODE_SPECIAL = 1
PG_ENCODE_BOS = 2
PG_ENCODE_EOS = 4


class pg_decoder(Structure):
    pass


class pg_model(Structure):
    pass

PG_MODEL_PALIGEMMA = 0
PG_MODEL_GEMMA = 1
PG_MODEL_SIGLIP = 2


class pg_model_options(Structure):
    _fields_ = [
        ("prefault", c_bool),
        ("lock", c_bool),
        ("huge_pages", c_bool),
        ("adapter", c_char_p),
        ("device", c_char_p),
    ]


class pg_session(Structure):
    pass

PG_COMPUTE_AUTO = 0
PG_COMPUTE_F32 = 1
PG_COMPUTE_BF16 = 2
PG_COMPUTE_INT8 = 3

PG_CACHE_AUTO = 0
PG_CACHE_F32 = 1
PG_CACHE_BF16 = 2
PG_CACHE_INT8 = 3


class pg_session_options(Structure):
    _fields_ = [
        ("threads", c_int),
        ("compute", c_int),
        ("cache", c_int),
        ("resize_order", c_int),
        ("context", c_size_t),
        ("sequences", c_size_t),
    ]

PG_PROMPT_TASK = 0
PG_PROMPT_TEXT = 1
PG_PROMPT_CHAT = 2

pg_text_callback = CFUNCTYPE(c_bool, c_void_p, c_size_t, c_void_p, c_size_t)


class pg_constraint(Structure):
    pass

PG_PERMIT_ALL = c_size_t(-1).value

pg_permit_callback = CFUNCTYPE(c_size_t, c_void_p, POINTER(c_int32), POINTER(c_int32), c_size_t)

PG_MASKS_NONE = 0
PG_MASKS_OPTIONAL = 1
PG_MASKS_ALWAYS = 2


class pg_step(Structure):
    _fields_ = [
        ("token", c_int32),
        ("logprob", c_float),
        ("logits", POINTER(c_float)),
        ("ids", POINTER(c_int32)),
        ("count", c_size_t),
        ("total", c_double),
    ]

pg_step_callback = CFUNCTYPE(None, c_void_p, c_size_t, POINTER(pg_step))


class pg_request(Structure):
    _fields_ = [
        ("images", POINTER(POINTER(pg_image))),
        ("image_count", c_size_t),
        ("prompt", c_char_p),
        ("style", c_int),
        ("special", c_bool),
        ("ids", POINTER(c_int32)),
        ("id_count", c_size_t),
        ("answer_ids", c_size_t),
        ("max_new_tokens", c_int64),
        ("max_length", c_int64),
        ("min_new_tokens", c_int64),
        ("stop", POINTER(c_char_p)),
        ("stop_count", c_size_t),
        ("temperature", c_double),
        ("top_k", c_int64),
        ("top_p", c_double),
        ("min_p", c_double),
        ("seed", c_uint64),
        ("repetition_penalty", c_double),
        ("no_repeat_ngram", c_int64),
        ("beams", c_int64),
        ("beams_returned", c_int64),
        ("length_penalty", c_double),
        ("early_stopping", c_bool),
        ("constraint", POINTER(pg_constraint)),
        ("speculate", c_int64),
        ("top_logits", c_size_t),
        ("on_text", pg_text_callback),
        ("on_step", pg_step_callback),
        ("user", c_void_p),
    ]

PG_FINISH_STOP = 0
PG_FINISH_LENGTH = 1
PG_FINISH_CANCELLED = 2


class pg_candidate(Structure):
    _fields_ = [
        ("id", c_int32),
        ("logit", c_float),
    ]


class pg_beam(Structure):
    _fields_ = [
        ("text", c_char_p),
        ("tokens", POINTER(c_int32)),
        ("count", c_size_t),
        ("score", c_float),
    ]


class pg_timings(Structure):
    _fields_ = [
        ("pictures", c_double),
        ("prefill", c_double),
        ("first_token", c_double),
        ("decode", c_double),
    ]


class pg_answer(Structure):
    _fields_ = [
        ("text", POINTER(c_char)),
        ("text_size", c_size_t),
        ("tokens", POINTER(c_int32)),
        ("logprobs", POINTER(c_float)),
        ("count", c_size_t),
        ("finish", c_int),
        ("prompt_tokens", c_size_t),
        ("proposed", c_size_t),
        ("accepted", c_size_t),
        ("top", POINTER(pg_candidate)),
        ("top_count", c_size_t),
        ("beams", POINTER(pg_beam)),
        ("beam_count", c_size_t),
        ("timings", pg_timings),
    ]


class pg_text_score(Structure):
    _fields_ = [
        ("logprob", c_double),
        ("probability", c_double),
        ("tokens", c_size_t),
    ]


class pg_trace_array(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("dtype", c_char_p),
        ("shape", POINTER(c_int64)),
        ("dimensions", c_int),
        ("data", c_void_p),
    ]

pg_trace_callback = CFUNCTYPE(c_int, c_void_p, POINTER(pg_trace_array))

pg_bench_callback = CFUNCTYPE(c_bool, c_void_p, c_size_t)


class pg_bench_options(Structure):
    _fields_ = [
        ("image_size", c_size_t),
        ("prompt_tokens", c_size_t),
        ("new_tokens", c_size_t),
        ("batch", c_size_t),
        ("rounds", c_size_t),
        ("threads", c_int),
        ("compute", c_int),
        ("cache", c_int),
        ("model", pg_model_options),
        ("profile", c_bool),
        ("once", c_bool),
        ("on_round", pg_bench_callback),
        ("user", c_void_p),
    ]


class pg_figure(Structure):
    _fields_ = [
        ("median", c_double),
        ("low", c_double),
        ("high", c_double),
    ]


class pg_bench_part(Structure):
    _fields_ = [
        ("seconds", pg_figure),
        ("work", c_double),
        ("limit", pg_figure),
        ("share", pg_figure),
    ]


class pg_bench_operation(Structure):
    _fields_ = [
        ("part", c_char_p),
        ("name", (c_char * 48)),
        ("calls", c_int64),
        ("seconds", c_double),
    ]


class pg_bench(Structure):
    _fields_ = [
        ("image_size", c_size_t),
        ("prompt_tokens", c_size_t),
        ("new_tokens", c_size_t),
        ("batch", c_size_t),
        ("rounds", c_size_t),
        ("threads", c_int),
        ("compute", c_int),
        ("load", pg_figure),
        ("first_answer", c_double),
        ("vision", pg_bench_part),
        ("prefill", pg_bench_part),
        ("decode", pg_bench_part),
        ("first_token", pg_figure),
        ("tokens_per_second", pg_figure),
        ("batch_tokens_per_second", pg_figure),
        ("weight_bytes", c_size_t),
        ("token_memory", c_size_t),
        ("peak_memory", c_size_t),
        ("private_memory", c_size_t),
        ("operations", POINTER(pg_bench_operation)),
        ("operation_count", c_size_t),
    ]

PG_WEIGHTS_STORED = 0
PG_WEIGHTS_BF16 = 1
PG_WEIGHTS_INT8 = 2
PG_WEIGHTS_INT4 = 3

PG_ROUNDING_NONE = 0
PG_ROUNDING_NEAREST = 1
PG_ROUNDING_COMPENSATED = 2


class pg_quantized_error(Structure):
    _fields_ = [
        ("values", c_double),
        ("products", c_double),
    ]


class pg_quantized_weight(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("format", c_char_p),
        ("bytes_before", c_size_t),
        ("bytes_after", c_size_t),
        ("rounding", c_int),
        ("error", pg_quantized_error),
        ("nearest_error", pg_quantized_error),
        ("index", c_size_t),
        ("count", c_size_t),
    ]


class pg_quantized_model(Structure):
    _fields_ = [
        ("rounding", c_int),
        ("examples", c_size_t),
        ("tokens", c_size_t),
        ("nll", c_double),
        ("agreement", c_double),
    ]

pg_quantize_progress = CFUNCTYPE(c_bool, c_void_p, c_size_t, c_size_t)

pg_quantize_judgement = CFUNCTYPE(c_bool, c_void_p, POINTER(pg_quantized_model))

pg_quantize_report = CFUNCTYPE(c_bool, c_void_p, POINTER(pg_quantized_weight))


class pg_quantize_options(Structure):
    _fields_ = [
        ("text", c_int),
        ("vision", c_int),
        ("block", c_size_t),
        ("threads", c_int),
        ("calibrate", c_char_p),
        ("evaluate", c_char_p),
        ("window", c_size_t),
        ("on_progress", pg_quantize_progress),
        ("on_weight", pg_quantize_report),
        ("on_model", pg_quantize_judgement),
        ("user", c_void_p),
    ]

pg_save_progress = CFUNCTYPE(c_bool, c_void_p, c_size_t, c_size_t)


class pg_save_options(Structure):
    _fields_ = [
        ("dtype", c_char_p),
        ("shard_size", c_size_t),
        ("threads", c_int),
        ("replace", c_bool),
        ("mix", POINTER(pg_model)),
        ("share", c_double),
        ("on_progress", pg_save_progress),
        ("user", c_void_p),
    ]


class pg_create_options(Structure):
    _fields_ = [
        ("config", c_char_p),
        ("tokenizer", c_char_p),
        ("from", c_char_p),
        ("vision", c_char_p),
        ("text", c_char_p),
        ("image_size", c_size_t),
        ("smooth_locations", c_bool),
        ("seed", c_uint64),
        ("dtype", c_char_p),
        ("shard_size", c_size_t),
        ("threads", c_int),
        ("on_progress", pg_save_progress),
        ("user", c_void_p),
    ]


class pg_dataset(Structure):
    pass

PG_DATA_AUTO = 0
PG_DATA_JSONL = 1
PG_DATA_COCO_CAPTIONS = 2
PG_DATA_COCO_DETECT = 3
PG_DATA_COCO_SEGMENT = 4
PG_DATA_VQA = 5
PG_DATA_TEXT = 6
PG_DATA_SHARDS = 7
PG_DATA_MASKS = 8
PG_DATA_MASK_FOLDERS = 9

PG_ROW_SUFFIX = 0
PG_ROW_PREFERENCE = 1
PG_ROW_LABEL = 2
PG_ROW_TEXT = 3
PG_ROW_MASK = 4


class pg_mask_view(Structure):
    _fields_ = [
        ("pixels", POINTER(c_uint8)),
        ("width", c_size_t),
        ("height", c_size_t),
        ("box", (c_double * 4)),
    ]

PG_MASK_SIDE = 64

PG_MASK_CODES = 16

pg_mask_encoder = CFUNCTYPE(c_int, c_void_p, POINTER(c_int), POINTER(pg_mask_view))


class pg_dataset_options(Structure):
    _fields_ = [
        ("kind", c_int),
        ("images", c_char_p),
        ("split", c_char_p),
        ("prefix", c_char_p),
        ("annotations", c_char_p),
        ("image_name", c_char_p),
        ("labels", POINTER(c_char_p)),
        ("label_count", c_size_t),
        ("together", c_bool),
        ("unanswered", c_bool),
        ("bpe_dropout", c_double),
        ("encode_mask", pg_mask_encoder),
        ("user", c_void_p),
    ]


class pg_row_image(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("bytes", POINTER(c_uint8)),
        ("size", c_size_t),
    ]


class pg_data_row(Structure):
    _fields_ = [
        ("kind", c_int),
        ("images", POINTER(pg_row_image)),
        ("image_count", c_size_t),
        ("prefix", c_char_p),
        ("suffix", c_char_p),
        ("chosen", c_char_p),
        ("rejected", c_char_p),
        ("text", c_char_p),
        ("label", c_int64),
        ("patch_labels", POINTER(c_int32)),
        ("patch_count", c_size_t),
        ("mask", POINTER(c_float)),
    ]

pg_convert_progress = CFUNCTYPE(c_bool, c_void_p, c_size_t, c_size_t)

pg_convert_complaint = CFUNCTYPE(None, c_void_p, c_char_p)


class pg_convert_options(Structure):
    _fields_ = [
        ("threads", c_int),
        ("bad_share", c_double),
        ("on_progress", pg_convert_progress),
        ("on_bad", pg_convert_complaint),
        ("user", c_void_p),
    ]


class pg_mixture(Structure):
    pass


class pg_mixture_part(Structure):
    _fields_ = [
        ("dataset", POINTER(pg_dataset)),
        ("weight", c_double),
        ("repeat", c_uint64),
    ]


class pg_augmentation(Structure):
    _fields_ = [
        ("crop", c_double),
        ("keep", c_double),
        ("flip", c_double),
        ("flip_sides", c_bool),
        ("brightness", c_double),
        ("contrast", c_double),
        ("saturation", c_double),
    ]

PG_LONG_TRUNCATE = 0
PG_LONG_SKIP = 1


class pg_loader_options(Structure):
    _fields_ = [
        ("model", c_int),
        ("tokenizer", POINTER(pg_tokenizer)),
        ("image_size", c_size_t),
        ("image_tokens", c_size_t),
        ("image_token", c_int32),
        ("context", c_size_t),
        ("text_length", c_size_t),
        ("vocabulary", c_size_t),
        ("style", c_int),
        ("special", c_bool),
        ("resize_order", c_int),
        ("keep_orientation", c_bool),
        ("augment", pg_augmentation),
        ("seed", c_uint64),
        ("first", c_uint64),
        ("end", c_uint64),
        ("threads", c_int),
        ("ahead", c_size_t),
        ("long_rows", c_int),
        ("bad_share", c_double),
        ("bad_listed", c_size_t),
    ]


class pg_sample(Structure):
    _fields_ = [
        ("position", c_uint64),
        ("part", c_size_t),
        ("row", c_size_t),
        ("kind", c_int),
        ("pixels", POINTER(c_uint8)),
        ("image_count", c_size_t),
        ("side", c_size_t),
        ("ids", POINTER(c_int32)),
        ("count", c_size_t),
        ("prefix", c_size_t),
        ("rejected", POINTER(c_int32)),
        ("rejected_count", c_size_t),
        ("label", c_int64),
        ("patch_labels", POINTER(c_int32)),
        ("patch_count", c_size_t),
        ("mask", POINTER(c_float)),
        ("truncated", c_bool),
    ]


class pg_loader(Structure):
    pass


class pg_loader_report(Structure):
    _fields_ = [
        ("position", c_uint64),
        ("rows", c_uint64),
        ("bad", c_uint64),
        ("too_long", c_uint64),
        ("truncated", c_uint64),
        ("waited", c_double),
        ("listed", c_size_t),
    ]


class pg_train_config(Structure):
    pass


class pg_train_setting(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("argument", c_char_p),
        ("help", c_char_p),
    ]


class pg_trainer(Structure):
    pass


class pg_measurement(Structure):
    _fields_ = [
        ("loss", c_double),
        ("accuracy", c_double),
        ("rows", c_uint64),
        ("tokens", c_uint64),
    ]


class pg_train_report(Structure):
    _fields_ = [
        ("step", c_int64),
        ("steps", c_int64),
        ("train", pg_measurement),
        ("gradient_norm", c_double),
        ("learning_rate", c_double),
        ("seconds", c_double),
        ("waited", c_double),
        ("operations", c_double),
        ("bad_rows", c_uint64),
        ("validated", c_bool),
        ("validation", pg_measurement),
        ("best_loss", c_double),
        ("saved", c_bool),
        ("finished", c_bool),
    ]


class pg_plot_options(Structure):
    _fields_ = [
        ("tags", POINTER(c_char_p)),
        ("tag_count", c_size_t),
        ("smooth", c_double),
        ("log", c_bool),
        ("width", c_size_t),
        ("height", c_size_t),
    ]


class pg_object(Structure):
    _fields_ = [
        ("label", c_char_p),
        ("score", c_double),
        ("box", (c_double * 4)),
        ("places", (c_int * 4)),
        ("has_codes", c_bool),
        ("codes", (c_int32 * 16)),
        ("mask", POINTER(c_float)),
        ("at", c_size_t),
        ("size", c_size_t),
    ]


class pg_object_problem(Structure):
    _fields_ = [
        ("name", (c_char * 32)),
        ("at", c_size_t),
    ]


class pg_objects(Structure):
    _fields_ = [
        ("width", c_size_t),
        ("height", c_size_t),
        ("items", POINTER(pg_object)),
        ("count", c_size_t),
        ("problems", POINTER(pg_object_problem)),
        ("problem_count", c_size_t),
        ("text", POINTER(c_char)),
        ("text_size", c_size_t),
        ("finish", c_int),
    ]

PG_BOX_TEXT = 37


class pg_polygons(Structure):
    _fields_ = [
        ("corners", POINTER(c_double)),
        ("ends", POINTER(c_size_t)),
        ("count", c_size_t),
        ("corner_capacity", c_size_t),
        ("capacity", c_size_t),
    ]


class pg_mask_codec(Structure):
    pass


class pg_detect_options(Structure):
    _fields_ = [
        ("labels", POINTER(c_char_p)),
        ("label_count", c_size_t),
        ("masks", c_int),
        ("codec", POINTER(pg_mask_codec)),
        ("prompt", c_char_p),
        ("free", c_bool),
        ("max_objects", c_size_t),
        ("threshold", c_double),
        ("on_text", pg_text_callback),
        ("user", c_void_p),
    ]


class pg_detection(Structure):
    pass


class pg_mark(Structure):
    _fields_ = [
        ("label", c_char_p),
        ("score", c_double),
        ("box", POINTER(c_double)),
        ("mask", POINTER(c_uint8)),
    ]


class pg_draw_options(Structure):
    _fields_ = [
        ("line", c_double),
        ("text", c_double),
        ("opacity", c_double),
    ]


class pg_recognizer(Structure):
    pass


class pg_picture_index(Structure):
    pass


class pg_index_options(Structure):
    _fields_ = [
        ("dtype", c_char_p),
        ("compare_contents", c_bool),
        ("image", pg_image_options),
        ("save_after", c_double),
        ("on_progress", CFUNCTYPE(c_bool, c_void_p, c_size_t, c_size_t)),
        ("on_skipped", CFUNCTYPE(None, c_void_p, c_char_p, c_char_p)),
        ("user", c_void_p),
    ]


class pg_index_report(Structure):
    _fields_ = [
        ("kept", c_size_t),
        ("added", c_size_t),
        ("changed", c_size_t),
        ("removed", c_size_t),
        ("skipped", c_size_t),
    ]


class pg_match(Structure):
    _fields_ = [
        ("picture", c_size_t),
        ("cosine", c_float),
    ]

PG_CORRUPT_GAUSSIAN_NOISE = 0
PG_CORRUPT_SHOT_NOISE = 1
PG_CORRUPT_IMPULSE_NOISE = 2
PG_CORRUPT_DEFOCUS_BLUR = 3
PG_CORRUPT_GLASS_BLUR = 4
PG_CORRUPT_MOTION_BLUR = 5
PG_CORRUPT_ZOOM_BLUR = 6
PG_CORRUPT_SNOW = 7
PG_CORRUPT_FROST = 8
PG_CORRUPT_FOG = 9
PG_CORRUPT_BRIGHTNESS = 10
PG_CORRUPT_CONTRAST = 11
PG_CORRUPT_ELASTIC = 12
PG_CORRUPT_PIXELATE = 13
PG_CORRUPT_JPEG = 14
PG_CORRUPT_ROTATION = 15

PG_CORRUPTIONS = 16

PG_SEVERITIES = 5


class pg_robustness_options(Structure):
    _fields_ = [
        ("kinds", POINTER(c_int)),
        ("kind_count", c_size_t),
        ("severities", POINTER(c_int)),
        ("severity_count", c_size_t),
        ("rows", c_size_t),
        ("batch", c_size_t),
        ("seed", c_uint64),
        ("image", pg_image_options),
        ("recognizer", POINTER(pg_recognizer)),
        ("max_new_tokens", c_int64),
        ("on_progress", CFUNCTYPE(c_bool, c_void_p, c_size_t, c_size_t)),
        ("user", c_void_p),
    ]


class pg_robustness(Structure):
    _fields_ = [
        ("rows", c_size_t),
        ("clean", c_double),
        ("accuracy", ((c_double * 5) * 16)),
        ("corruption", (c_double * 16)),
        ("mean_error", c_double),
        ("relative_error", c_double),
    ]

PG_EXPLAIN_AUTO = 0
PG_EXPLAIN_GRADIENT = 1
PG_EXPLAIN_ROLLOUT = 2
PG_EXPLAIN_ATTENTION = 3
PG_EXPLAIN_SIMILARITY = 4

pg_explain_progress = CFUNCTYPE(c_bool, c_void_p, c_size_t, c_size_t)


class pg_explain_options(Structure):
    _fields_ = [
        ("method", c_int),
        ("tower", c_bool),
        ("layers", c_size_t),
        ("on_progress", pg_explain_progress),
        ("user", c_void_p),
    ]

PG_EXPLAINED_WORD = 0
PG_EXPLAINED_BOX = 1
PG_EXPLAINED_MASK = 2
PG_EXPLAINED_LABEL = 3
PG_EXPLAINED_TEXT = 4


class pg_explained(Structure):
    _fields_ = [
        ("kind", c_int),
        ("text", c_char_p),
        ("first", c_size_t),
        ("count", c_size_t),
        ("share", c_double),
        ("map", POINTER(c_float)),
    ]


class pg_explanation(Structure):
    _fields_ = [
        ("method", c_int),
        ("images", c_size_t),
        ("rows", c_size_t),
        ("columns", c_size_t),
        ("parts", POINTER(pg_explained)),
        ("part_count", c_size_t),
        ("tokens", POINTER(c_int32)),
        ("token_count", c_size_t),
        ("token_shares", POINTER(c_double)),
        ("token_maps", POINTER(c_float)),
        ("maps", POINTER(c_float)),
    ]


class pg_comparison(Structure):
    _fields_ = [
        ("prediction", c_char_p),
        ("references", POINTER(c_char_p)),
        ("reference_count", c_size_t),
    ]


class pg_caption_scores(Structure):
    _fields_ = [
        ("cider", c_double),
        ("bleu", (c_double * 4)),
        ("rouge_l", c_double),
    ]

PG_ANLS_KEEP_HALF = 1

PG_ANLS_FOLD = 2


class pg_reading_errors(Structure):
    _fields_ = [
        ("character_edits", c_size_t),
        ("characters", c_size_t),
        ("word_edits", c_size_t),
        ("words", c_size_t),
    ]


class pg_coco_scores(Structure):
    _fields_ = [
        ("ap", c_double),
        ("ap50", c_double),
        ("ap75", c_double),
        ("ap_small", c_double),
        ("ap_medium", c_double),
        ("ap_large", c_double),
        ("ar1", c_double),
        ("ar10", c_double),
        ("ar100", c_double),
        ("ar_small", c_double),
        ("ar_medium", c_double),
        ("ar_large", c_double),
    ]


class pg_coco_evaluation(Structure):
    pass


class pg_referring_scores(Structure):
    _fields_ = [
        ("miou", c_double),
        ("ciou", c_double),
        ("box_accuracy_50", c_double),
        ("box_accuracy_75", c_double),
        ("cases", c_size_t),
        ("invalid", c_size_t),
    ]

PG_RELIABILITY_BINS = 15


class pg_reliability_bin(Structure):
    _fields_ = [
        ("count", c_size_t),
        ("confidence", c_double),
        ("accuracy", c_double),
    ]


class pg_reliability_scores(Structure):
    _fields_ = [
        ("calibration_error", c_double),
        ("brier", c_double),
        ("bins", (pg_reliability_bin * 15)),
    ]

PG_EVAL_CAPTION = 0
PG_EVAL_VQA = 1
PG_EVAL_TEXTVQA = 2
PG_EVAL_DOCVQA = 3
PG_EVAL_CHARTQA = 4
PG_EVAL_OCR = 5
PG_EVAL_DETECT = 6
PG_EVAL_SEGMENT = 7
PG_EVAL_REFCOCO = 8
PG_EVAL_CLASSIFY = 9
PG_EVAL_RETRIEVAL = 10


class pg_evaluation(Structure):
    pass


class pg_evaluation_options(Structure):
    _fields_ = [
        ("data", pg_dataset_options),
        ("limit", c_size_t),
        ("codec", POINTER(pg_mask_codec)),
    ]


class pg_evaluation_run_options(Structure):
    _fields_ = [
        ("out", c_char_p),
        ("together", c_size_t),
        ("max_new_tokens", c_int64),
        ("blank", c_bool),
        ("free", c_bool),
        ("labels", POINTER(c_char_p)),
        ("label_count", c_size_t),
        ("templates", POINTER(c_char_p)),
        ("template_count", c_size_t),
        ("image", pg_image_options),
        ("on_progress", CFUNCTYPE(c_bool, c_void_p, c_size_t, c_size_t)),
        ("user", c_void_p),
    ]


class pg_eval_figure(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("value", c_double),
    ]


class pg_eval_case(Structure):
    _fields_ = [
        ("place", c_char_p),
        ("image", c_char_p),
        ("prompt", c_char_p),
        ("references", POINTER(c_char_p)),
        ("reference_count", c_size_t),
        ("prediction", c_char_p),
        ("error", c_char_p),
        ("probability", c_double),
        ("score", c_double),
    ]


class pg_eval_report_options(Structure):
    _fields_ = [
        ("title", c_char_p),
        ("worst", c_size_t),
        ("side", c_size_t),
        ("image", pg_image_options),
    ]


class pg_hub_progress(Structure):
    _fields_ = [
        ("done", c_uint64),
        ("total", c_uint64),
        ("before", c_uint64),
        ("files", c_size_t),
        ("files_total", c_size_t),
        ("waiting", c_bool),
    ]


class pg_hub_options(Structure):
    _fields_ = [
        ("revision", c_char_p),
        ("include", POINTER(c_char_p)),
        ("include_count", c_size_t),
        ("connections", c_int),
        ("on_progress", CFUNCTYPE(c_bool, c_void_p, POINTER(pg_hub_progress))),
        ("user", c_void_p),
    ]

PG_LAYOUT_AUTO = 0
PG_LAYOUT_PUBLISHED = 1
PG_LAYOUT_JAX = 2
PG_LAYOUT_GGUF = 3


class pg_model_convert_options(Structure):
    _fields_ = [
        ("to", c_int),
        ("adapter", c_char_p),
        ("tokenizer", c_char_p),
        ("config", c_char_p),
        ("dtype", c_char_p),
        ("shard_size", c_size_t),
        ("compress", c_bool),
        ("unchecked", c_bool),
        ("threads", c_int),
        ("on_progress", pg_save_progress),
        ("user", c_void_p),
    ]


class pg_model_conversion(Structure):
    _fields_ = [
        ("from", c_int),
        ("to", c_int),
        ("weights", c_size_t),
        ("checked", c_bool),
        ("difference", c_double),
        ("largest", c_double),
        ("lost", c_char_p),
    ]


class pg_scheduler(Structure):
    pass


class pg_scheduler_options(Structure):
    _fields_ = [
        ("session", pg_session_options),
        ("queue", c_size_t),
        ("feature_bytes", c_size_t),
        ("prefix_bytes", c_size_t),
        ("slice", c_double),
    ]

PG_EVENT_TOKEN = 0
PG_EVENT_ANSWER = 1
PG_EVENT_END = 2


class pg_usage(Structure):
    _fields_ = [
        ("queued", c_double),
        ("pictures", c_double),
        ("prefill", c_double),
        ("first_token", c_double),
        ("decode", c_double),
        ("total", c_double),
        ("prompt_tokens", c_size_t),
        ("answer_tokens", c_size_t),
        ("features_kept", c_bool),
        ("prefix_kept", c_bool),
    ]


class pg_event(Structure):
    _fields_ = [
        ("kind", c_int),
        ("ticket", c_uint64),
        ("index", c_size_t),
        ("token", c_int32),
        ("logprob", c_float),
        ("top", POINTER(pg_candidate)),
        ("top_count", c_size_t),
        ("text", c_char_p),
        ("size", c_size_t),
        ("answer", POINTER(pg_answer)),
        ("status", c_int),
        ("reason", c_char_p),
        ("usage", pg_usage),
    ]

pg_event_callback = CFUNCTYPE(c_bool, c_void_p, POINTER(pg_event))


class pg_job(Structure):
    _fields_ = [
        ("request", pg_request),
        ("answers", c_size_t),
        ("adapter", c_char_p),
        ("key", c_char_p),
        ("priority", c_int),
        ("deadline", c_double),
        ("on_event", pg_event_callback),
        ("user", c_void_p),
    ]

PG_TIME_BUCKETS = 18


class pg_times(Structure):
    _fields_ = [
        ("count", c_uint64),
        ("sum", c_double),
        ("buckets", (c_uint64 * 18)),
    ]


class pg_scheduler_figures(Structure):
    _fields_ = [
        ("waiting", c_size_t),
        ("starting", c_size_t),
        ("running", c_size_t),
        ("sequences", c_size_t),
        ("sequences_used", c_size_t),
        ("submitted", c_uint64),
        ("refused", c_uint64),
        ("finished", c_uint64),
        ("cancelled", c_uint64),
        ("expired", c_uint64),
        ("failed", c_uint64),
        ("prompt_tokens", c_uint64),
        ("answer_tokens", c_uint64),
        ("pictures", c_uint64),
        ("proposed", c_uint64),
        ("accepted", c_uint64),
        ("steps", c_uint64),
        ("feature_hits", c_uint64),
        ("feature_misses", c_uint64),
        ("prefix_hits", c_uint64),
        ("prefix_misses", c_uint64),
        ("feature_bytes", c_size_t),
        ("prefix_bytes", c_size_t),
        ("queued", pg_times),
        ("first_token", pg_times),
        ("between_tokens", pg_times),
        ("total", pg_times),
    ]


class pg_feedback_store(Structure):
    pass


class pg_feedback_options(Structure):
    _fields_ = [
        ("existing", c_bool),
        ("max_bytes", c_uint64),
        ("wait", c_double),
    ]

PG_JUDGEMENT_DOWN = -1
PG_JUDGEMENT_NONE = 0
PG_JUDGEMENT_UP = 1

PG_FEEDBACK_HASH = 65

PG_FEEDBACK_PICTURES = 16


class pg_feedback_picture(Structure):
    _fields_ = [
        ("bytes", c_void_p),
        ("size", c_size_t),
        ("keep", c_bool),
        ("hash", (c_char * 65)),
    ]


class pg_feedback_record(Structure):
    _fields_ = [
        ("id", c_int64),
        ("time", c_int64),
        ("request", c_char_p),
        ("task", c_char_p),
        ("prompt", c_char_p),
        ("answer", c_char_p),
        ("judgement", c_int),
        ("correction", c_char_p),
        ("model", c_char_p),
        ("model_version", c_char_p),
        ("adapter", c_char_p),
        ("adapter_version", c_char_p),
        ("settings", c_char_p),
        ("pictures", POINTER(pg_feedback_picture)),
        ("picture_count", c_size_t),
    ]

pg_feedback_visitor = CFUNCTYPE(c_bool, c_void_p, POINTER(pg_feedback_record))


class pg_feedback_query(Structure):
    _fields_ = [
        ("after", c_int64),
        ("limit", c_size_t),
        ("newest", c_bool),
    ]


class pg_feedback_export_options(Structure):
    _fields_ = [
        ("kind", c_int),
        ("approved", c_bool),
    ]


class pg_feedback_export_report(Structure):
    _fields_ = [
        ("rows", c_size_t),
        ("pictures", c_size_t),
        ("left_out", c_size_t),
    ]

PG_FINGERPRINT = 64


class pg_server(Structure):
    pass


class pg_server_adapter(Structure):
    _fields_ = [
        ("name", c_char_p),
        ("folder", c_char_p),
    ]


class pg_server_options(Structure):
    _fields_ = [
        ("host", c_char_p),
        ("port", c_int),
        ("model", c_char_p),
        ("model_name", c_char_p),
        ("siglip", c_char_p),
        ("siglip_name", c_char_p),
        ("codec", c_char_p),
        ("adapters", POINTER(pg_server_adapter)),
        ("adapter_count", c_size_t),
        ("how", pg_model_options),
        ("scheduler", pg_scheduler_options),
        ("key_file", c_char_p),
        ("feedback", c_char_p),
        ("feedback_images", c_bool),
        ("feedback_bytes", c_uint64),
        ("image_hosts", POINTER(c_char_p)),
        ("image_host_count", c_size_t),
        ("max_body", c_size_t),
        ("max_pixels", c_uint64),
        ("max_images", c_size_t),
        ("connections", c_size_t),
        ("timeout", c_double),
        ("deadline", c_double),
        ("metrics", c_bool),
        ("log_content", c_bool),
        ("slow", c_double),
        ("on_log", CFUNCTYPE(None, c_void_p, c_char_p)),
        ("user", c_void_p),
    ]

# What each function returns and takes.
FUNCTIONS = {
    "pg_error_last": (c_char_p, []),
    "pg_status_name": (c_char_p, [c_int]),
    "pg_version": (c_char_p, []),
    "pg_libraries": (c_char_p, []),
    "pg_devices": (c_char_p, []),
    "pg_image_options_init": (None, [POINTER(pg_image_options)]),
    "pg_image_load": (c_int, [POINTER(POINTER(pg_image)), c_char_p, POINTER(pg_image_options)]),
    "pg_image_decode": (c_int, [POINTER(POINTER(pg_image)), c_void_p, c_size_t, c_char_p, POINTER(pg_image_options)]),
    "pg_image_load_all": (c_int, [POINTER(POINTER(pg_image)), POINTER(c_char_p), POINTER(c_char_p), c_size_t,
        POINTER(pg_image_options), c_int]),
    "pg_image_new": (c_int, [POINTER(POINTER(pg_image)), POINTER(c_uint8), c_size_t, c_size_t, c_size_t]),
    "pg_image_free": (None, [POINTER(pg_image)]),
    "pg_image_width": (c_size_t, [POINTER(pg_image)]),
    "pg_image_height": (c_size_t, [POINTER(pg_image)]),
    "pg_image_pixels": (POINTER(c_uint8), [POINTER(pg_image)]),
    "pg_image_resize": (c_int, [POINTER(POINTER(pg_image)), POINTER(pg_image), c_size_t, c_size_t, c_int]),
    "pg_image_save_png": (c_int, [POINTER(pg_image), c_char_p]),
    "pg_image_save": (c_int, [POINTER(pg_image), c_char_p]),
    "pg_image_encode_png": (c_int, [POINTER(POINTER(c_uint8)), POINTER(c_size_t), POINTER(pg_image)]),
    "pg_tokenizer_open": (c_int, [POINTER(POINTER(pg_tokenizer)), c_char_p]),
    "pg_tokenizer_close": (None, [POINTER(pg_tokenizer)]),
    "pg_tokenizer_size": (c_int32, [POINTER(pg_tokenizer)]),
    "pg_tokenizer_id": (c_int32, [POINTER(pg_tokenizer), c_char_p]),
    "pg_tokenizer_piece": (c_char_p, [POINTER(pg_tokenizer), c_int32]),
    "pg_tokenizer_is_special": (c_bool, [POINTER(pg_tokenizer), c_int32]),
    "pg_tokenizer_encode": (c_int, [POINTER(POINTER(c_int32)), POINTER(c_size_t), POINTER(pg_tokenizer), c_char_p,
        c_size_t, c_uint]),
    "pg_tokenizer_decode": (c_int, [POINTER(c_char_p), POINTER(pg_tokenizer), POINTER(c_int32), c_size_t, c_bool]),
    "pg_decoder_new": (c_int, [POINTER(POINTER(pg_decoder)), POINTER(pg_tokenizer), c_bool]),
    "pg_decoder_free": (None, [POINTER(pg_decoder)]),
    "pg_decoder_push": (c_int, [POINTER(pg_decoder), c_int32, POINTER(c_char_p), POINTER(c_size_t)]),
    "pg_decoder_finish": (c_int, [POINTER(pg_decoder), POINTER(c_char_p), POINTER(c_size_t)]),
    "pg_free": (None, [c_void_p]),
    "pg_model_open": (c_int, [POINTER(POINTER(pg_model)), c_char_p]),
    "pg_model_options_init": (None, [POINTER(pg_model_options)]),
    "pg_model_open_with": (c_int, [POINTER(POINTER(pg_model)), c_char_p, POINTER(pg_model_options)]),
    "pg_model_close": (None, [POINTER(pg_model)]),
    "pg_default_model": (c_int, [POINTER(c_char_p), c_int]),
    "pg_default_mask_codec": (c_int, [POINTER(c_char_p)]),
    "pg_model_get_kind": (c_int, [POINTER(pg_model)]),
    "pg_model_tokenizer": (POINTER(pg_tokenizer), [POINTER(pg_model)]),
    "pg_model_image_size": (c_size_t, [POINTER(pg_model)]),
    "pg_model_image_tokens": (c_size_t, [POINTER(pg_model)]),
    "pg_model_context": (c_size_t, [POINTER(pg_model)]),
    "pg_model_describe": (c_int, [POINTER(c_char_p), POINTER(pg_model)]),
    "pg_ask": (c_int, [POINTER(c_char_p), POINTER(pg_model), c_char_p, c_char_p]),
    "pg_session_options_init": (None, [POINTER(pg_session_options)]),
    "pg_session_new": (c_int, [POINTER(POINTER(pg_session)), POINTER(pg_model), POINTER(pg_session_options)]),
    "pg_session_free": (None, [POINTER(pg_session)]),
    "pg_session_compute": (c_int, [POINTER(pg_session)]),
    "pg_session_threads": (c_int, [POINTER(pg_session)]),
    "pg_session_token_memory": (c_size_t, [POINTER(pg_session)]),
    "pg_isa": (c_char_p, []),
    "pg_constraint_new": (c_int, [POINTER(POINTER(pg_constraint)), pg_permit_callback, c_void_p]),
    "pg_constraint_free": (None, [POINTER(pg_constraint)]),
    "pg_constraint_new_texts": (c_int, [POINTER(POINTER(pg_constraint)), POINTER(pg_model), POINTER(c_char_p),
        c_size_t]),
    "pg_constraint_new_objects": (c_int, [POINTER(POINTER(pg_constraint)), POINTER(pg_model), POINTER(c_char_p),
        c_size_t, c_int]),
    "pg_request_init": (None, [POINTER(pg_request)]),
    "pg_request_complete": (None, [POINTER(pg_request), POINTER(pg_model)]),
    "pg_finish_name": (c_char_p, [c_int]),
    "pg_generate": (c_int, [POINTER(POINTER(pg_answer)), POINTER(pg_session), POINTER(pg_request), c_size_t]),
    "pg_answer_free": (None, [POINTER(pg_answer)]),
    "pg_score_texts": (c_int, [POINTER(pg_text_score), POINTER(pg_session), POINTER(pg_request), POINTER(c_char_p),
        c_size_t]),
    "pg_trace": (c_int, [POINTER(pg_session), POINTER(pg_request), pg_trace_callback, c_void_p]),
    "pg_trace_save": (c_int, [POINTER(pg_session), POINTER(pg_request), c_char_p]),
    "pg_model_embedding_size": (c_size_t, [POINTER(pg_model)]),
    "pg_embed_images": (c_int, [POINTER(c_float), POINTER(pg_session), POINTER(POINTER(pg_image)), c_size_t]),
    "pg_embed_texts": (c_int, [POINTER(c_float), POINTER(pg_session), POINTER(c_char_p), c_size_t]),
    "pg_model_logit_scale": (c_int, [POINTER(c_float), POINTER(c_float), POINTER(pg_model)]),
    "pg_perplexity": (c_int, [POINTER(c_float), POINTER(pg_session), POINTER(c_int32), c_size_t]),
    "pg_save_npy": (c_int, [c_char_p, c_char_p, POINTER(c_int64), c_int, c_void_p]),
    "pg_bench_options_init": (None, [POINTER(pg_bench_options)]),
    "pg_bench_run": (c_int, [POINTER(POINTER(pg_bench)), c_char_p, POINTER(pg_bench_options)]),
    "pg_bench_free": (None, [POINTER(pg_bench)]),
    "pg_rounding_name": (c_char_p, [c_int]),
    "pg_quantize_options_init": (None, [POINTER(pg_quantize_options)]),
    "pg_quantize": (c_int, [c_char_p, POINTER(pg_model), POINTER(pg_quantize_options)]),
    "pg_save_options_init": (None, [POINTER(pg_save_options)]),
    "pg_model_save": (c_int, [c_char_p, POINTER(pg_model), POINTER(pg_save_options)]),
    "pg_create_options_init": (None, [POINTER(pg_create_options)]),
    "pg_model_create": (c_int, [c_char_p, POINTER(pg_create_options)]),
    "pg_data_kind_name": (c_char_p, [c_int]),
    "pg_row_kind_name": (c_char_p, [c_int]),
    "pg_mask_cut": (c_int, [POINTER(c_float), POINTER(pg_mask_view)]),
    "pg_dataset_options_init": (None, [POINTER(pg_dataset_options)]),
    "pg_dataset_open": (c_int, [POINTER(POINTER(pg_dataset)), c_char_p, POINTER(pg_dataset_options)]),
    "pg_dataset_close": (None, [POINTER(pg_dataset)]),
    "pg_dataset_count": (c_size_t, [POINTER(pg_dataset)]),
    "pg_dataset_get_kind": (c_int, [POINTER(pg_dataset)]),
    "pg_dataset_row_kind": (c_int, [POINTER(pg_dataset)]),
    "pg_dataset_path": (c_char_p, [POINTER(pg_dataset)]),
    "pg_dataset_label_count": (c_size_t, [POINTER(pg_dataset)]),
    "pg_dataset_label": (c_char_p, [POINTER(pg_dataset), c_size_t]),
    "pg_dataset_row": (c_int, [POINTER(POINTER(pg_data_row)), POINTER(pg_dataset), c_size_t]),
    "pg_data_row_free": (None, [POINTER(pg_data_row)]),
    "pg_dataset_place": (c_int, [POINTER(c_char_p), POINTER(pg_dataset), c_size_t]),
    "pg_convert_options_init": (None, [POINTER(pg_convert_options)]),
    "pg_dataset_convert": (c_int, [POINTER(c_size_t), c_char_p, POINTER(pg_dataset), POINTER(pg_convert_options)]),
    "pg_mixture_new": (c_int, [POINTER(POINTER(pg_mixture)), POINTER(pg_mixture_part), c_size_t, c_uint64, c_bool]),
    "pg_mixture_free": (None, [POINTER(pg_mixture)]),
    "pg_mixture_count": (c_uint64, [POINTER(pg_mixture)]),
    "pg_mixture_parts": (c_size_t, [POINTER(pg_mixture)]),
    "pg_mixture_dataset": (POINTER(pg_dataset), [POINTER(pg_mixture), c_size_t]),
    "pg_mixture_at": (None, [POINTER(c_size_t), POINTER(c_size_t), POINTER(pg_mixture), c_uint64]),
    "pg_loader_options_init": (None, [POINTER(pg_loader_options)]),
    "pg_loader_options_use_model": (c_int, [POINTER(pg_loader_options), POINTER(pg_model)]),
    "pg_sample_free": (None, [POINTER(pg_sample)]),
    "pg_sample_make": (c_int, [POINTER(POINTER(pg_sample)), POINTER(pg_mixture), POINTER(pg_loader_options), c_uint64]),
    "pg_loader_open": (c_int, [POINTER(POINTER(pg_loader)), POINTER(pg_mixture), POINTER(pg_loader_options)]),
    "pg_loader_close": (None, [POINTER(pg_loader)]),
    "pg_loader_next": (c_int, [POINTER(POINTER(pg_sample)), POINTER(pg_loader)]),
    "pg_loader_get_report": (pg_loader_report, [POINTER(pg_loader)]),
    "pg_loader_bad": (c_char_p, [POINTER(pg_loader), c_size_t]),
    "pg_train_setting_at": (POINTER(pg_train_setting), [c_size_t]),
    "pg_train_config_new": (c_int, [POINTER(POINTER(pg_train_config))]),
    "pg_train_config_free": (None, [POINTER(pg_train_config)]),
    "pg_train_config_set": (c_int, [POINTER(pg_train_config), c_char_p, c_char_p]),
    "pg_train_config_text": (c_char_p, [POINTER(pg_train_config), c_char_p]),
    "pg_train_config_use": (c_int, [POINTER(pg_train_config), c_char_p]),
    "pg_train_config_load": (c_int, [POINTER(pg_train_config), c_char_p]),
    "pg_train_config_complete": (c_int, [POINTER(pg_train_config), c_char_p]),
    "pg_trainer_open": (c_int, [POINTER(POINTER(pg_trainer)), POINTER(pg_train_config)]),
    "pg_trainer_close": (None, [POINTER(pg_trainer)]),
    "pg_trainer_step": (c_int, [POINTER(pg_train_report), POINTER(pg_trainer)]),
    "pg_trainer_validate": (c_int, [POINTER(pg_measurement), POINTER(pg_trainer)]),
    "pg_trainer_save": (c_int, [POINTER(pg_trainer)]),
    "pg_trainer_export": (c_int, [c_char_p, POINTER(pg_trainer)]),
    "pg_train_gradients": (c_int, [c_char_p, POINTER(pg_train_config)]),
    "pg_plot_options_init": (None, [POINTER(pg_plot_options)]),
    "pg_plot_save": (c_int, [c_char_p, POINTER(c_char_p), c_size_t, POINTER(pg_plot_options)]),
    "pg_objects_parse": (c_int, [POINTER(POINTER(pg_objects)), c_char_p, c_size_t, c_size_t, c_size_t]),
    "pg_objects_free": (None, [POINTER(pg_objects)]),
    "pg_box_text": (None, [POINTER(c_char), POINTER(c_double), c_size_t, c_size_t]),
    "pg_box_pixels": (c_bool, [POINTER(c_size_t), POINTER(c_int), c_size_t, c_size_t]),
    "pg_mask_place": (c_int, [POINTER(c_uint8), c_size_t, c_size_t, POINTER(c_float), POINTER(c_int)]),
    "pg_mask_counts": (c_int, [POINTER(c_char_p), POINTER(c_uint8), c_size_t, c_size_t]),
    "pg_polygons_trace": (c_int, [POINTER(pg_polygons), POINTER(c_uint8), c_size_t, c_size_t]),
    "pg_polygons_free": (None, [POINTER(pg_polygons)]),
    "pg_mask_read": (c_int, [POINTER(c_uint8), c_size_t, c_size_t, c_char_p, c_size_t]),
    "pg_mask_codec_open": (c_int, [POINTER(POINTER(pg_mask_codec)), c_char_p]),
    "pg_mask_codec_close": (None, [POINTER(pg_mask_codec)]),
    "pg_mask_codec_find": (c_int, [POINTER(c_char_p), c_char_p]),
    "pg_mask_codec_decode": (c_int, [POINTER(c_float), POINTER(pg_mask_codec), POINTER(c_int32), c_size_t, c_int]),
    "pg_mask_codec_encode": (c_int, [POINTER(c_int32), POINTER(pg_mask_codec), POINTER(c_float), c_size_t, c_int]),
    "pg_mask_codec_encode_view": (c_int, [c_void_p, POINTER(c_int), POINTER(pg_mask_view)]),
    "pg_detect_options_init": (None, [POINTER(pg_detect_options)]),
    "pg_detect": (c_int, [POINTER(POINTER(pg_objects)), POINTER(pg_session), POINTER(POINTER(pg_image)), c_size_t,
        POINTER(pg_detect_options)]),
    "pg_model_get_score_correction": (None, [POINTER(c_double), POINTER(c_double), POINTER(pg_model)]),
    "pg_detection_new": (c_int, [POINTER(POINTER(pg_detection)), POINTER(pg_model), POINTER(pg_image),
        POINTER(pg_detect_options), c_size_t]),
    "pg_detection_request": (POINTER(pg_request), [POINTER(pg_detection)]),
    "pg_detection_read": (c_int, [POINTER(POINTER(pg_objects)), POINTER(pg_detection), POINTER(pg_answer)]),
    "pg_detection_free": (None, [POINTER(pg_detection)]),
    "pg_draw_options_init": (None, [POINTER(pg_draw_options)]),
    "pg_image_draw_marks": (c_int, [POINTER(POINTER(pg_image)), POINTER(pg_image), POINTER(pg_mark), c_size_t,
        POINTER(pg_draw_options)]),
    "pg_image_draw_heat": (c_int, [POINTER(POINTER(pg_image)), POINTER(pg_image), POINTER(c_float), c_size_t, c_size_t,
        c_char_p, POINTER(pg_draw_options)]),
    "pg_image_sheet": (c_int, [POINTER(POINTER(pg_image)), POINTER(POINTER(pg_image)), POINTER(c_char_p), c_size_t,
        c_size_t, c_size_t]),
    "pg_recognizer_new": (c_int, [POINTER(POINTER(pg_recognizer)), POINTER(pg_session), POINTER(c_char_p), c_size_t,
        POINTER(c_char_p), c_size_t]),
    "pg_recognizer_open": (c_int, [POINTER(POINTER(pg_recognizer)), POINTER(pg_model), c_char_p]),
    "pg_recognizer_free": (None, [POINTER(pg_recognizer)]),
    "pg_recognizer_count": (c_size_t, [POINTER(pg_recognizer)]),
    "pg_recognizer_label": (c_char_p, [POINTER(pg_recognizer), c_size_t]),
    "pg_recognizer_exclusive": (c_bool, [POINTER(pg_recognizer)]),
    "pg_recognize": (c_int, [POINTER(c_float), POINTER(pg_session), POINTER(pg_recognizer), POINTER(POINTER(pg_image)),
        c_size_t]),
    "pg_class_scores": (None, [POINTER(c_float), POINTER(c_float), c_size_t, c_bool]),
    "pg_index_options_init": (None, [POINTER(pg_index_options)]),
    "pg_picture_index_update": (c_int, [POINTER(pg_index_report), c_char_p, POINTER(pg_session), POINTER(c_char_p),
        c_size_t, POINTER(pg_index_options)]),
    "pg_picture_index_open": (c_int, [POINTER(POINTER(pg_picture_index)), c_char_p]),
    "pg_picture_index_close": (None, [POINTER(pg_picture_index)]),
    "pg_picture_index_count": (c_size_t, [POINTER(pg_picture_index)]),
    "pg_picture_index_name": (c_int, [POINTER(c_char_p), POINTER(pg_picture_index), c_size_t]),
    "pg_picture_index_search": (c_int, [POINTER(pg_match), POINTER(c_size_t), POINTER(pg_session),
        POINTER(pg_picture_index), POINTER(c_float), c_size_t]),
    "pg_corruption_name": (c_char_p, [c_int]),
    "pg_corruption_family": (c_char_p, [c_int]),
    "pg_image_corrupt": (c_int, [POINTER(POINTER(pg_image)), POINTER(pg_image), c_int, c_int, c_uint64]),
    "pg_robustness_options_init": (None, [POINTER(pg_robustness_options)]),
    "pg_robustness_run": (c_int, [POINTER(pg_robustness), POINTER(pg_session), POINTER(pg_dataset),
        POINTER(pg_robustness_options)]),
    "pg_explain_options_init": (None, [POINTER(pg_explain_options)]),
    "pg_explained_kind_name": (c_char_p, [c_int]),
    "pg_explain": (c_int, [POINTER(POINTER(pg_explanation)), POINTER(pg_session), POINTER(pg_request), POINTER(c_int32),
        c_size_t, POINTER(pg_explain_options)]),
    "pg_explain_texts": (c_int, [POINTER(POINTER(pg_explanation)), POINTER(pg_session), POINTER(pg_image),
        POINTER(c_char_p), c_size_t, POINTER(pg_explain_options)]),
    "pg_explanation_free": (None, [POINTER(pg_explanation)]),
    "pg_explanation_save": (c_int, [c_char_p, POINTER(pg_explanation)]),
    "pg_caption_words": (c_int, [POINTER(c_char_p), c_char_p]),
    "pg_caption_score": (c_int, [POINTER(pg_caption_scores), POINTER(pg_caption_scores), POINTER(pg_comparison),
        c_size_t]),
    "pg_vqa_accuracy": (c_int, [POINTER(c_double), POINTER(pg_comparison)]),
    "pg_vqa_normalise": (c_int, [POINTER(c_char_p), c_char_p]),
    "pg_anls": (c_int, [POINTER(c_double), POINTER(pg_comparison), c_uint]),
    "pg_relaxed_match": (c_bool, [c_char_p, c_char_p]),
    "pg_reading_compare": (c_int, [POINTER(pg_reading_errors), c_char_p, c_char_p]),
    "pg_phrases_match": (c_int, [POINTER(c_bool), c_char_p, c_char_p]),
    "pg_coco_evaluation_open": (c_int, [POINTER(POINTER(pg_coco_evaluation)), c_char_p, c_bool]),
    "pg_coco_evaluation_close": (None, [POINTER(pg_coco_evaluation)]),
    "pg_coco_evaluation_load": (c_int, [POINTER(pg_coco_evaluation), c_char_p]),
    "pg_coco_evaluation_add": (c_int, [POINTER(pg_coco_evaluation), c_int64, c_int64, c_double, POINTER(c_double),
        c_char_p]),
    "pg_coco_evaluation_categories": (c_size_t, [POINTER(pg_coco_evaluation)]),
    "pg_coco_evaluation_category": (c_char_p, [POINTER(pg_coco_evaluation), c_size_t, POINTER(c_int64)]),
    "pg_coco_evaluation_measure": (c_int, [POINTER(pg_coco_scores), POINTER(pg_coco_scores),
        POINTER(pg_coco_evaluation)]),
    "pg_eval_task_name": (c_char_p, [c_int]),
    "pg_evaluation_options_init": (None, [POINTER(pg_evaluation_options)]),
    "pg_evaluation_open": (c_int, [POINTER(POINTER(pg_evaluation)), c_int, c_char_p, POINTER(pg_evaluation_options)]),
    "pg_evaluation_close": (None, [POINTER(pg_evaluation)]),
    "pg_evaluation_load": (c_int, [POINTER(pg_evaluation), c_char_p]),
    "pg_evaluation_run_options_init": (None, [POINTER(pg_evaluation_run_options)]),
    "pg_evaluation_run": (c_int, [POINTER(pg_evaluation), POINTER(pg_session), POINTER(pg_evaluation_run_options)]),
    "pg_evaluation_measure": (c_int, [POINTER(pg_evaluation)]),
    "pg_evaluation_figures": (c_size_t, [POINTER(pg_evaluation)]),
    "pg_evaluation_figure": (pg_eval_figure, [POINTER(pg_evaluation), c_size_t]),
    "pg_evaluation_cases": (c_size_t, [POINTER(pg_evaluation)]),
    "pg_evaluation_case": (pg_eval_case, [POINTER(pg_evaluation), c_size_t]),
    "pg_evaluation_fit_scores": (c_int, [POINTER(pg_evaluation), c_char_p]),
    "pg_eval_report_options_init": (None, [POINTER(pg_eval_report_options)]),
    "pg_evaluation_report": (c_int, [POINTER(pg_evaluation), c_char_p, POINTER(pg_eval_report_options)]),
    "pg_hub_options_init": (None, [POINTER(pg_hub_options)]),
    "pg_hub_is_name": (c_bool, [c_char_p]),
    "pg_hub_pull": (c_int, [POINTER(c_char_p), c_char_p, POINTER(pg_hub_options)]),
    "pg_hub_find": (c_int, [POINTER(c_char_p), c_char_p, POINTER(pg_hub_options)]),
    "pg_model_convert_options_init": (None, [POINTER(pg_model_convert_options)]),
    "pg_model_convert": (c_int, [POINTER(pg_model_conversion), c_char_p, c_char_p, POINTER(pg_model_convert_options)]),
    "pg_model_conversion_free": (None, [POINTER(pg_model_conversion)]),
    "pg_scheduler_options_init": (None, [POINTER(pg_scheduler_options)]),
    "pg_scheduler_new": (c_int, [POINTER(POINTER(pg_scheduler)), POINTER(pg_model), POINTER(pg_scheduler_options)]),
    "pg_scheduler_free": (None, [POINTER(pg_scheduler)]),
    "pg_scheduler_set_adapter": (c_int, [POINTER(pg_scheduler), c_char_p, c_char_p]),
    "pg_job_init": (None, [POINTER(pg_job)]),
    "pg_scheduler_submit": (c_int, [POINTER(c_uint64), POINTER(pg_scheduler), POINTER(pg_job)]),
    "pg_scheduler_cancel": (None, [POINTER(pg_scheduler), c_uint64]),
    "pg_scheduler_drain": (c_int, [POINTER(pg_scheduler), c_double]),
    "pg_time_bound": (c_double, [c_size_t]),
    "pg_scheduler_get_figures": (None, [POINTER(pg_scheduler_figures), POINTER(pg_scheduler)]),
    "pg_feedback_options_init": (None, [POINTER(pg_feedback_options)]),
    "pg_feedback_open": (c_int, [POINTER(POINTER(pg_feedback_store)), c_char_p, POINTER(pg_feedback_options)]),
    "pg_feedback_close": (None, [POINTER(pg_feedback_store)]),
    "pg_judgement_name": (c_char_p, [c_int]),
    "pg_feedback_add": (c_int, [POINTER(c_int64), POINTER(pg_feedback_store), POINTER(pg_feedback_record)]),
    "pg_feedback_list": (c_int, [POINTER(pg_feedback_store), POINTER(pg_feedback_query), pg_feedback_visitor,
        c_void_p]),
    "pg_feedback_read_picture": (c_int, [POINTER(c_void_p), POINTER(c_size_t), POINTER(pg_feedback_store), c_char_p]),
    "pg_feedback_export_options_init": (None, [POINTER(pg_feedback_export_options)]),
    "pg_feedback_export": (c_int, [POINTER(pg_feedback_export_report), POINTER(pg_feedback_store), c_char_p,
        POINTER(pg_feedback_export_options)]),
    "pg_model_fingerprint": (None, [POINTER(c_char), POINTER(pg_model)]),
    "pg_server_options_init": (None, [POINTER(pg_server_options)]),
    "pg_server_new": (c_int, [POINTER(POINTER(pg_server)), POINTER(pg_server_options)]),
    "pg_server_check": (c_int, [POINTER(pg_server_options)]),
    "pg_server_port": (c_int, [POINTER(pg_server)]),
    "pg_server_reload": (c_int, [POINTER(pg_server)]),
    "pg_server_drain": (c_int, [POINTER(pg_server), c_double]),
    "pg_server_free": (None, [POINTER(pg_server)]),
}

# Those that return a pg_status.
FALLIBLE = {
    "pg_image_load",
    "pg_image_decode",
    "pg_image_load_all",
    "pg_image_new",
    "pg_image_resize",
    "pg_image_save_png",
    "pg_image_save",
    "pg_image_encode_png",
    "pg_tokenizer_open",
    "pg_tokenizer_encode",
    "pg_tokenizer_decode",
    "pg_decoder_new",
    "pg_decoder_push",
    "pg_decoder_finish",
    "pg_model_open",
    "pg_model_open_with",
    "pg_default_model",
    "pg_default_mask_codec",
    "pg_model_describe",
    "pg_ask",
    "pg_session_new",
    "pg_constraint_new",
    "pg_constraint_new_texts",
    "pg_constraint_new_objects",
    "pg_generate",
    "pg_score_texts",
    "pg_trace",
    "pg_trace_save",
    "pg_embed_images",
    "pg_embed_texts",
    "pg_model_logit_scale",
    "pg_perplexity",
    "pg_save_npy",
    "pg_bench_run",
    "pg_quantize",
    "pg_model_save",
    "pg_model_create",
    "pg_mask_cut",
    "pg_dataset_open",
    "pg_dataset_row",
    "pg_dataset_place",
    "pg_dataset_convert",
    "pg_mixture_new",
    "pg_loader_options_use_model",
    "pg_sample_make",
    "pg_loader_open",
    "pg_loader_next",
    "pg_train_config_new",
    "pg_train_config_set",
    "pg_train_config_use",
    "pg_train_config_load",
    "pg_train_config_complete",
    "pg_trainer_open",
    "pg_trainer_step",
    "pg_trainer_validate",
    "pg_trainer_save",
    "pg_trainer_export",
    "pg_train_gradients",
    "pg_plot_save",
    "pg_objects_parse",
    "pg_mask_place",
    "pg_mask_counts",
    "pg_polygons_trace",
    "pg_mask_read",
    "pg_mask_codec_open",
    "pg_mask_codec_find",
    "pg_mask_codec_decode",
    "pg_mask_codec_encode",
    "pg_mask_codec_encode_view",
    "pg_detect",
    "pg_detection_new",
    "pg_detection_read",
    "pg_image_draw_marks",
    "pg_image_draw_heat",
    "pg_image_sheet",
    "pg_recognizer_new",
    "pg_recognizer_open",
    "pg_recognize",
    "pg_picture_index_update",
    "pg_picture_index_open",
    "pg_picture_index_name",
    "pg_picture_index_search",
    "pg_image_corrupt",
    "pg_robustness_run",
    "pg_explain",
    "pg_explain_texts",
    "pg_explanation_save",
    "pg_caption_words",
    "pg_caption_score",
    "pg_vqa_accuracy",
    "pg_vqa_normalise",
    "pg_anls",
    "pg_reading_compare",
    "pg_phrases_match",
    "pg_coco_evaluation_open",
    "pg_coco_evaluation_load",
    "pg_coco_evaluation_add",
    "pg_coco_evaluation_measure",
    "pg_evaluation_open",
    "pg_evaluation_load",
    "pg_evaluation_run",
    "pg_evaluation_measure",
    "pg_evaluation_fit_scores",
    "pg_evaluation_report",
    "pg_hub_pull",
    "pg_hub_find",
    "pg_model_convert",
    "pg_scheduler_new",
    "pg_scheduler_set_adapter",
    "pg_scheduler_submit",
    "pg_scheduler_drain",
    "pg_feedback_open",
    "pg_feedback_add",
    "pg_feedback_list",
    "pg_feedback_read_picture",
    "pg_feedback_export",
    "pg_server_new",
    "pg_server_check",
    "pg_server_reload",
    "pg_server_drain",
}
