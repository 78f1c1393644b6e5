#include "model/cost.h"

#include <string.h>

/* rows x inputs times outputs x inputs */
static double product(int64_t rows, int64_t inputs, int64_t outputs)
{
    return 2.0 * (double)rows * (double)inputs * (double)outputs;
}

double pg_cost_vision(const pg_config *config)
{
    const pg_siglip_config *c = &config->vision;
    int64_t P = pg_config_patches(c), D = c->width;
    double layer = 4 * product(P, D, D)   /* q, k, v, out */
                   + 2 * product(P, D, P) /* scores, and their sum of values */
                   + 2 * product(P, D, c->mlp);
    double projector = config->kind == PG_MODEL_PALIGEMMA ? product(P, D, config->text.width) : 0;
    return product(P, c->channels * c->patch * c->patch, D) + (double)c->layers * layer + projector;
}

/* One layer for `tokens` keys and values, of which `rows` are asked for; they see `seen` keys in all. */
static double layer(const pg_gemma_config *c, int64_t tokens, int64_t rows, double seen)
{
    int64_t D = c->width, HE = c->heads * c->size, KE = c->kv_heads * c->size;
    return product(tokens, D, 2 * KE) + product(rows, D, HE) /* k, v, q */
           + 4 * seen * (double)HE                           /* scores, and their sum of values */
           + product(rows, HE, D) + 3 * product(rows, D, c->mlp);
}

double pg_cost_prompt(const pg_gemma_config *c, int64_t tokens, int64_t prefix)
{
    double seen = (double)prefix * (double)prefix; /* pairs of a query and a key that it sees */
    seen += ((double)tokens * (double)(tokens + 1) - (double)prefix * (double)(prefix + 1)) / 2;
    return (double)(c->layers - 1) * layer(c, tokens, tokens, seen) + layer(c, tokens, 1, (double)tokens) +
           product(1, c->width, c->vocabulary);
}

/* The weights of all layers for `tokens` rows. */
static double decoder(const pg_gemma_config *c, int64_t tokens)
{
    return (double)c->layers * layer(c, tokens, tokens, 0);
}

static double text_tower(const pg_siglip_config *c, int64_t tokens)
{
    return (double)c->layers * (4 * product(tokens, c->width, c->width) + 2 * product(tokens, c->width, c->mlp));
}

double pg_cost_training(const pg_config *config, int64_t pictures, int64_t tokens, int64_t scored)
{
    double forward = pictures ? (double)pictures * pg_cost_vision(config) : 0;
    if (config->kind == PG_MODEL_SIGLIP)
        forward += text_tower(&config->words, tokens);
    else
        forward += decoder(&config->text, tokens) + product(scored, config->text.width, config->text.vocabulary);
    return 3 * forward;
}

typedef struct tally {
    const pg_weights *weights;
    double bytes;
} tally;

static void add_parameter(void *user, const pg_parameter *p)
{
    tally *sum = user;
    bool lookup = p == &sum->weights->text.embed && !sum->weights->config.text.tied; /* one row of it */
    if (!strncmp(p->name, "text.", 5) && !lookup)
        sum->bytes += (double)pg_parameter_bytes(p);
}

double pg_cost_token_weights(const pg_weights *weights)
{
    tally sum = {weights, 0};
    pg_weights_each(weights, add_parameter, &sum);
    return sum.bytes;
}

double pg_cost_token_cache(const pg_gemma_config *c, int64_t keys, pg_dtype dtype)
{
    int64_t width = pg_cache_width(dtype, c->kv_heads, c->size);
    return 2.0 * (double)(c->layers * keys * width) * (double)pg_dtype_size(dtype);
}
