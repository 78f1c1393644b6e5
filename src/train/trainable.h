/* What a run trains: f32 values and gradients of the chosen weights, in one block each, while all other weights stay
 * mapped as their file has them. */
#ifndef PG_TRAIN_TRAINABLE_H
#define PG_TRAIN_TRAINABLE_H

#include "generate/model.h"
#include "train/optimizer.h"
#include "train/settings.h"

/* One trained tensor and where it is used. */
typedef struct pg_trained_place {
    pg_parameter *parameter;
    pg_parameter before; /* to put back */
    char name[160];      /* published; of factors, PEFT's */
    int dimensions;
    int64_t shape[4];
} pg_trained_place;

typedef struct pg_trainable {
    pg_weights *weights, *other; /* NULL: none */
    pg_adapter *adapter;         /* of a "lora" run; owned */
    pg_trained *tensors;         /* [count], as optimizers take them */
    pg_trained_place *places;
    size_t count, capacity, values_count;
    size_t model_count, other_count; /* tensors of the two models; the rest are factors and a head */
    pg_device *device;               /* where these are; NULL: the host's memory */
    float *values, *grads;           /* of all tensors, one after another */
} pg_trainable;

/* Chooses by the settings "train" and "lora_..." among the weights of a model, and of a second one if it is not NULL
 * (which has no adapter). A choice that fits nothing, or weights that cannot be trained because they are quantised, are
 * errors. */
pg_status pg_trainable_new(pg_trainable **out, pg_model *model, pg_model *other, const pg_train_config *config);
void pg_trainable_free(pg_trainable *trainable);

/* Adds a tensor that is no weight of the model, such as the head of a classifier. */
pg_status pg_trainable_add(pg_trainable *trainable, pg_parameter *parameter, const char *name, const int64_t *shape,
                           int dimensions);

/* Once all are there: copies the values, to the device if there is one (borrowed). From then on until the trainable is
 * freed, the parameters point to the copies and have gradients. */
pg_status pg_trainable_ready(pg_trainable *trainable, const pg_train_config *config, pg_device *device);

/* Sets all gradients to zero. */
void pg_trainable_clear(pg_trainable *trainable);

/* Lets the model compute with the optimizer's averages (NULL: with the values themselves). */
void pg_trainable_use(pg_trainable *trainable, const pg_optimizer *averages);

#endif
