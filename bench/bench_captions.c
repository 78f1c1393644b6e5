/* How fast captions are scored: bench_captions [PICTURES [REFERENCES]], 5,000 pictures with 5 references each unless
 * said otherwise. Prints one line of JSON: seconds to tokenize all texts, and to compute CIDEr-D, BLEU and ROUGE-L of
 * them. Captions are random walks through common words; linked to the shared library: only the public header is used.
 */
#include <stdio.h>
#include <stdlib.h>

#include "stopwatch.h"

#define WORDS_MAX 18
#define TEXT_MAX  256

static void *allocate(size_t count, size_t size)
{
    void *memory = calloc(count, size);
    if (!memory) {
        perror("bench_captions");
        exit(1);
    }
    return memory;
}

/* A caption about picture `picture`: its neighbours share words with it. */
static void make_caption(char *text, unsigned picture, unsigned *state)
{
    static const char *const words[] = {"a",       "the",    "man",   "woman",   "dog",    "cat",    "standing",
                                        "sitting", "on",     "in",    "of",      "with",   "next",   "to",
                                        "red",     "blue",   "white", "table",   "street", "field",  "riding",
                                        "holding", "large",  "small", "holding", "plate",  "people", "group",
                                        "train",   "tennis", "ball",  "beach",   "kitchen"};
    const unsigned count = sizeof words / sizeof *words;
    unsigned length = 8 + (*state >> 16) % (WORDS_MAX - 8);
    for (unsigned i = 0; i < length; i++) {
        *state = *state * 1664525u + 1013904223u;
        unsigned near = (*state >> 8) % 3 ? picture * 7 + i : *state >> 16;
        text += sprintf(text, "%s%s", i ? " " : "", words[near % count]);
    }
    sprintf(text, ".");
}

int main(int count, char **arguments)
{
    size_t pictures = count > 1 ? strtoul(arguments[1], NULL, 10) : 5000;
    size_t references = count > 2 ? strtoul(arguments[2], NULL, 10) : 5, texts = pictures * (1 + references);
    char **words = allocate(texts, sizeof *words);
    pg_comparison *items = allocate(pictures, sizeof *items);
    pg_caption_scores scores, *each = allocate(pictures, sizeof *each);
    unsigned state = 1;
    double start = now();
    for (size_t i = 0; i < texts; i++) {
        char text[TEXT_MAX];
        make_caption(text, (unsigned)(i / (1 + references)), &state);
        stop_on(pg_caption_words(&words[i], text));
    }
    double tokenized = now();
    for (size_t i = 0; i < pictures; i++) {
        char **first = words + i * (1 + references);
        items[i] = (pg_comparison){first[0], (const char *const *)first + 1, references};
    }
    stop_on(pg_caption_score(&scores, each, items, pictures));
    double scored = now();
    printf("{\"pictures\": %zu, \"references\": %zu, \"tokenize_seconds\": %.3f, \"score_seconds\": %.3f, \"CIDEr\": "
           "%.4f}\n",
           pictures, references, tokenized - start, scored - tokenized, scores.cider);
    for (size_t i = 0; i < texts; i++)
        pg_free(words[i]);
    free(words);
    free(items);
    free(each);
    return 0;
}
