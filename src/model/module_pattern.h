/*
 * Patterns for names of modules as PEFT's adapter_config.json has them: Python's regular expressions, of which this is
 * the part that needs no more than a finite automaton.
 *
 * Understood: literals, `.`, `[...]`, `(...)`, `(?:...)`, `|`, `* + ?` (lazy ones match the same names), `{m,n}` up to
 * 99 and at most twice, `^ $`, `\d \w \s` and their opposites (the opposites not in brackets), `\b`, escaped signs.
 * Refused by name: look-around and other `(?...)`, back-references, patterns of more than 1,024 bytes.
 */
#ifndef PG_MODEL_MODULE_PATTERN_H
#define PG_MODEL_MODULE_PATTERN_H

#include <regex.h>

#include "base/status.h"

typedef struct pg_module_pattern {
    bool tail;
    const char *plain; /* borrowed; NULL: the regular expression counts */
    regex_t regex;
} pg_module_pattern;

/* `text` must match a whole name or, with `tail`, a name's last parts, beginning after a point. It is borrowed until
 * pg_module_pattern_free. `name` says where it stands in errors. */
pg_status pg_module_pattern_init(pg_module_pattern *out, const char *text, bool tail, const char *name);
bool pg_module_pattern_matches(const pg_module_pattern *pattern, const char *module);
void pg_module_pattern_free(pg_module_pattern *pattern);

/* True if `module` is `tail` or ends in "." and `tail`: how PEFT's lists of names match. */
bool pg_module_ends_in(const char *module, const char *tail);

#endif
