/* Words on stdin and JSON on stdout, for the programs that c_host.py talks to. Numbers are in
   hexadecimal, so that they keep their bits. What they take is not given back: they end soon. */
#ifndef WORDS_H
#define WORDS_H

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Words ---- */

static char word[1 << 20];

static inline const char *next(void) {
  if (scanf("%1048575s", word) != 1) exit(0);
  return word;
}

static inline double number(void) { return strtod(next(), NULL); }
static inline int whole(void) { return (int)strtol(next(), NULL, 10); }

static inline void *some(size_t count, size_t size) {
  void *made = calloc(count + 1, size);
  if (!made) exit(3);
  return made;
}

/* A text, whose spaces and the like come as %20; NULL for "-". */
static inline char *text(void) {
  const char *from = next();
  if (!strcmp(from, "-")) return NULL;
  char *made = some(strlen(from), 1), *to = made;
  for (; *from; from++) {
    if (*from == '%') {
      char digits[3] = {from[1], from[2], 0};
      *to++ = (char)strtol(digits, NULL, 16);
      from += 2;
    } else {
      *to++ = *from;
    }
  }
  return made;
}

static inline double *doubles(size_t count) {
  double *made = some(count, sizeof *made);
  for (size_t k = 0; k < count; k++) made[k] = number();
  return made;
}

static inline float *floats(size_t count) {
  float *made = some(count, sizeof *made);
  for (size_t k = 0; k < count; k++) made[k] = (float)number();
  return made;
}

static inline int *integers(size_t count) {
  int *made = some(count, sizeof *made);
  for (size_t k = 0; k < count; k++) made[k] = whole();
  return made;
}

/* ---- JSON ---- */

static inline void tell(double value) {
  if (isnan(value)) printf("null");
  else printf("%.17g", value);
}

static inline void tell_text(const char *said) {
  if (!said) {
    printf("null");
    return;
  }
  putchar('"');
  for (; *said; said++) {
    if (*said == '"' || *said == '\\') putchar('\\');
    putchar(*said);
  }
  putchar('"');
}

#define TELL_ALL(array, count, each)                    \
  do {                                                  \
    putchar('[');                                       \
    for (size_t i_ = 0; i_ < (size_t)(count); i_++) {   \
      if (i_) putchar(',');                             \
      each((array)[i_]);                                \
    }                                                   \
    putchar(']');                                       \
  } while (0)

static inline void tell_bool(int value) { printf(value ? "true" : "false"); }
static inline void tell_int(int value) { printf("%d", value); }

#endif
