/* The bytes of a safetensors file in, its tensors by name out.

   The format is eight bytes of length, a JSON object, and the tensors' bytes. Only what a bundle
   writes is read: plain names, float32 and uint8; whatever is not so is refused, and nothing is
   read past the end. */
#include "onwrist_safetensors.h"

#include <string.h>

typedef struct {
  const char *at, *end;
} cursor;

static void skip_space(cursor *c) {
  while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
    c->at++;
}

static bool take(cursor *c, char wanted) {
  skip_space(c);
  if (c->at >= c->end || *c->at != wanted) return false;
  c->at++;
  return true;
}

/* A string without escapes. */
static bool take_string(cursor *c, const char **text, size_t *length) {
  if (!take(c, '"')) return false;
  *text = c->at;
  while (c->at < c->end && *c->at != '"' && *c->at != '\\') c->at++;
  if (c->at >= c->end || *c->at != '"') return false;
  *length = (size_t)(c->at - *text);
  c->at++;
  return true;
}

static bool take_number(cursor *c, uint64_t *number) {
  skip_space(c);
  const char *from = c->at;
  *number = 0;
  while (c->at < c->end && *c->at >= '0' && *c->at <= '9') {
    if (*number > (UINT64_MAX - 9) / 10) return false;
    *number = *number * 10 + (uint64_t)(*c->at++ - '0');
  }
  return c->at > from;
}

/* "[1, 2, 3]" into at most `most` numbers; how many there are, -1 if it is no such list. */
static int take_list(cursor *c, uint64_t *numbers, int most) {
  int count = 0;
  if (!take(c, '[')) return -1;
  if (take(c, ']')) return 0;
  do {
    if (count == most || !take_number(c, &numbers[count])) return -1;
    count++;
  } while (take(c, ','));
  return take(c, ']') ? count : -1;
}

static bool is(const char *text, size_t length, const char *wanted) {
  return strlen(wanted) == length && !memcmp(text, wanted, length);
}

/* One tensor's description: {"dtype": ..., "shape": [...], "data_offsets": [...]}. */
static bool take_tensor(cursor *c, ow_tensor *tensor, uint64_t *begin, uint64_t *end) {
  uint64_t shape[8], offsets[2];
  bool offset = false, shaped = false;
  tensor->item = 0;
  if (!take(c, '{')) return false;
  do {
    const char *key, *type;
    size_t length, type_length;
    if (!take_string(c, &key, &length) || !take(c, ':')) return false;
    if (is(key, length, "dtype")) {
      if (!take_string(c, &type, &type_length)) return false;
      tensor->item = is(type, type_length, "F32") ? 4 : is(type, type_length, "U8") ? 1 : 0;
      if (!tensor->item) return false;
    } else if (is(key, length, "shape")) {
      int rank = take_list(c, shape, 8);
      if (rank < 0) return false;
      tensor->count = 1;
      for (int k = 0; k < rank; k++) {
        if (shape[k] && tensor->count > SIZE_MAX / 8 / shape[k]) return false;
        tensor->count *= (size_t)shape[k];
      }
      shaped = true;
    } else if (is(key, length, "data_offsets")) {
      offset = take_list(c, offsets, 2) == 2;
      if (!offset) return false;
      *begin = offsets[0];
      *end = offsets[1];
    } else {
      return false;
    }
  } while (take(c, ','));
  return take(c, '}') && offset && shaped && tensor->item && *begin <= *end &&
         *end - *begin == (uint64_t)tensor->count * tensor->item;
}

bool ow_find_tensor(const void *data, size_t bytes, const char *name, ow_tensor *tensor) {
  const uint8_t *raw = data;
  uint64_t header = 0;
  if (!raw || bytes < 8) return false;
  for (int k = 7; k >= 0; k--) header = header << 8 | raw[k];
  if (header > bytes - 8) return false;
  cursor c = {(const char *)raw + 8, (const char *)raw + 8 + header};
  if (!take(&c, '{')) return false;
  do {
    const char *key;
    size_t length;
    uint64_t begin = 0, end = 0;
    if (!take_string(&c, &key, &length) || !take(&c, ':')) return false;
    if (is(key, length, "__metadata__") || !take_tensor(&c, tensor, &begin, &end)) return false;
    if (!is(key, length, name)) continue;
    if (end > bytes - 8 - header) return false;
    tensor->data = raw + 8 + header + begin;
    return true;
  } while (take(&c, ','));
  return false;
}
