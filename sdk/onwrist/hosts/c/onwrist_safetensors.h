/* Tensors of a safetensors file, found by name. */
#ifndef ONWRIST_SAFETENSORS_H
#define ONWRIST_SAFETENSORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
  const uint8_t *data; /* may lie at any address: copy numbers out */
  size_t count, item;  /* numbers, and bytes of each */
} ow_tensor;

/* False if the file is not one, or holds no such tensor whole. */
bool ow_find_tensor(const void *data, size_t bytes, const char *name, ow_tensor *tensor);

#endif
