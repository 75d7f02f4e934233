/* Memory that is freed with its owner, messages, files, and SHA-256. */
#include "onwrist_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct ow_block {
  ow_block *before, *after;
  size_t bytes;
  size_t unused; /* keeps what follows aligned to 16 bytes */
};

static void *linked(ow_memory *memory, ow_block *block, size_t bytes) {
  block->bytes = bytes;
  block->before = NULL;
  block->after = memory->first;
  if (memory->first) memory->first->before = block;
  memory->first = block;
  memory->bytes += bytes;
  return block + 1;
}

void *ow_alloc(ow_memory *memory, size_t count, size_t size) {
  if (size && count > (SIZE_MAX / 2) / size) return NULL;
  size_t bytes = count * size;
  ow_block *block = calloc(1, sizeof *block + (bytes ? bytes : 1));
  return block ? linked(memory, block, bytes) : NULL;
}

/* Other memory in place of `old`, whose contents go; only freed if there are no bytes. */
void *ow_grow(ow_memory *memory, void *old, size_t bytes) {
  if (old) {
    ow_block *block = (ow_block *)old - 1;
    if (block->before) block->before->after = block->after;
    else memory->first = block->after;
    if (block->after) block->after->before = block->before;
    memory->bytes -= block->bytes;
    free(block);
  }
  return bytes ? ow_alloc(memory, 1, bytes) : NULL;
}

void ow_free_all(ow_memory *memory) {
  while (memory->first) {
    ow_block *block = memory->first;
    memory->first = block->after;
    free(block);
  }
  memory->bytes = 0;
}

onwrist_status ow_fail(onwrist_error *error, onwrist_status status, const char *format, ...) {
  if (error) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
  }
  return status;
}

onwrist_status ow_no_model(onwrist_error *error) {
  return ow_fail(error, ONWRIST_INPUT,
                 "there is no model or stream: look at what onwrist_open or "
                 "onwrist_stream_create returned and wrote into its error");
}

onwrist_status ow_read_file(const char *folder, const char *file, void **data, size_t *bytes,
                            onwrist_error *error) {
  size_t length = strlen(folder) + strlen(file) + 2;
  char *path = malloc(length);
  if (!path) return ow_fail(error, ONWRIST_MEMORY, "not enough memory to read %s", file);
  snprintf(path, length, "%s/%s", folder, file);
  FILE *stream = fopen(path, "rb");
  free(path);
  if (!stream)
    return ow_fail(error, ONWRIST_BUNDLE,
                   "%s/%s cannot be read: is it among the files of the app?", folder, file);
  long size = -1;
  if (!fseek(stream, 0, SEEK_END)) size = ftell(stream);
  void *read = size >= 0 ? malloc((size_t)size + 1) : NULL;
  bool whole = read && !fseek(stream, 0, SEEK_SET) &&
               fread(read, 1, (size_t)size, stream) == (size_t)size;
  fclose(stream);
  if (size >= 0 && !read)
    return ow_fail(error, ONWRIST_MEMORY, "not enough memory to read %s", file);
  if (!whole) {
    free(read);
    return ow_fail(error, ONWRIST_BUNDLE, "%s/%s cannot be read to its end", folder, file);
  }
  *data = read;
  *bytes = (size_t)size;
  return ONWRIST_OK;
}

/* ---- SHA-256, as FIPS 180-4 has it ---- */

static const uint32_t K[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4,
    0xab1c5ed5, 0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe,
    0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f,
    0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7,
    0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc,
    0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85, 0xa2bfe8a1, 0xa81a664b,
    0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116,
    0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7,
    0xc67178f2};

static uint32_t turned(uint32_t x, int by) { return x >> by | x << (32 - by); }

static void sha_block(uint32_t state[8], const uint8_t *data) {
  uint32_t w[64], v[8];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)data[4 * i] << 24 | (uint32_t)data[4 * i + 1] << 16 |
           (uint32_t)data[4 * i + 2] << 8 | data[4 * i + 3];
  for (int i = 16; i < 64; i++) {
    uint32_t a = w[i - 15], b = w[i - 2];
    w[i] = w[i - 16] + w[i - 7] + (turned(a, 7) ^ turned(a, 18) ^ a >> 3) +
           (turned(b, 17) ^ turned(b, 19) ^ b >> 10);
  }
  memcpy(v, state, sizeof v);
  for (int i = 0; i < 64; i++) {
    uint32_t e = v[4], a = v[0];
    uint32_t t = v[7] + (turned(e, 6) ^ turned(e, 11) ^ turned(e, 25)) +
                 ((e & v[5]) ^ (~e & v[6])) + K[i] + w[i];
    uint32_t u = (turned(a, 2) ^ turned(a, 13) ^ turned(a, 22)) +
                 ((a & v[1]) ^ (a & v[2]) ^ (v[1] & v[2]));
    memmove(v + 1, v, 7 * sizeof *v);
    v[4] += t;
    v[0] = t + u;
  }
  for (int i = 0; i < 8; i++) state[i] += v[i];
}

void onwrist_sha256(const void *data, size_t bytes, char hex[65]) {
  uint32_t state[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                       0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const uint8_t *at = data;
  uint64_t bits = (uint64_t)bytes * 8;
  size_t left = bytes;
  for (; left >= 64; left -= 64, at += 64) sha_block(state, at);
  uint8_t last[128] = {0};
  size_t end = left < 56 ? 64 : 128;
  if (left) memcpy(last, at, left);
  last[left] = 0x80;
  for (int i = 0; i < 8; i++) last[end - 1 - (size_t)i] = (uint8_t)(bits >> 8 * i);
  for (size_t k = 0; k < end; k += 64) sha_block(state, last + k);
  for (int i = 0; i < 8; i++) snprintf(hex + 8 * i, 9, "%08x", (unsigned)state[i]);
}
