/* Words that answers to questions are compared by: numbers as digits, contractions with their apostrophes. The table is
 * the VQA challenge's. */
#ifndef PG_METRICS_VQA_WORDS_H
#define PG_METRICS_VQA_WORDS_H

/* What stands for a word in small letters; the word itself where nothing else does. */
const char *pg_vqa_replace(const char *word);

#endif
