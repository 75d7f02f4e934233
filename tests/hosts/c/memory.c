/* Every allocation of the host fails once: what is opened, pushed and verified then must say so
   or go on, and give everything back. Prints how many allocations there were.

   The linker gives calls of malloc and calloc to the functions below (--wrap). */
#include "bundles.h" /* written by c_host.py */
#include "onwrist.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void *__real_malloc(size_t bytes);
void *__real_calloc(size_t count, size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_calloc(size_t count, size_t bytes);

static long left = -1, asked;

static int fails(void) {
  asked++;
  return left >= 0 && left-- == 0;
}

void *__wrap_malloc(size_t bytes) { return fails() ? NULL : __real_malloc(bytes); }
void *__wrap_calloc(size_t count, size_t bytes) {
  return fails() ? NULL : __real_calloc(count, bytes);
}

static onwrist_status opened(const onwrist_graph *graph, const void *model, size_t bytes,
                             void **handle, onwrist_error *error) {
  (void)graph;
  (void)model;
  (void)error;
  *handle = __real_malloc(bytes ? 1 : 1);
  return ONWRIST_OK;
}

static onwrist_status ran(void *handle, int size, const onwrist_tensor *inputs, int input_count,
                          const onwrist_tensor *given, int given_count, onwrist_error *error) {
  (void)handle;
  (void)size;
  (void)inputs;
  (void)input_count;
  (void)error;
  for (int k = 0; k < given_count; k++) memset(given[k].data, 0, given[k].count * sizeof(float));
  return ONWRIST_OK;
}

static void closed(void *handle) { free(handle); }

static void received(void *context, const onwrist_prediction *given) {
  (void)given;
  ++*(int *)context;
}

/* Half a minute of every channel, or some hours of a day; how many predictions came of it. */
static int use(const onwrist_bundle *bundle, const char *folder, int *short_of_memory) {
  static const onwrist_engine ENGINE = {"zeros", opened, ran, closed, false};
  onwrist_error error;
  onwrist_model *model = NULL;
  onwrist_stream *stream = NULL;
  int count = 0;
  onwrist_status status = onwrist_open(bundle, &ENGINE, folder, &model, &error);
  if (!status) status = onwrist_stream_create(model, NULL, &stream, &error);
  *short_of_memory += status == ONWRIST_MEMORY;
  for (int burst = 0; burst < 40 && !status; burst++) {
    for (int c = 0; c < bundle->channel_count; c++) {
      double times[128];
      float samples[128];
      double step = 1 / bundle->channels[c].rate;
      int each = (int)fmin(128, (bundle->patch ? 3600 : 1) / step);
      for (int k = 0; k < each; k++) {
        times[k] = (burst * each + k) * step;
        samples[k] = (k + c) % 5 ? (float)sin(times[k]) : NAN;
      }
      onwrist_status pushed = onwrist_push(stream, bundle->channels[c].name, times, samples,
                                           (size_t)each, received, &count, &error);
      *short_of_memory += pushed == ONWRIST_MEMORY;
      if (pushed && pushed != ONWRIST_MEMORY) exit(4);
    }
  }
  if (!status) *short_of_memory += onwrist_verify(model, NULL, 0, NULL, &error) == ONWRIST_MEMORY;
  onwrist_stream_free(stream);
  onwrist_close(model);
  return count;
}

int main(int count, char **arguments) {
  const onwrist_bundle *bundle = NULL;
  for (size_t k = 0; k < sizeof BUNDLES / sizeof *BUNDLES; k++)
    if (count > 2 && !strcmp(BUNDLES[k]->name, arguments[1])) bundle = BUNDLES[k];
  if (!bundle) return 2;
  int short_of_memory = 0, predictions = use(bundle, arguments[2], &short_of_memory);
  long most = asked;
  if (short_of_memory || !predictions) return 3;
  for (long k = 0; k < most; k++) {
    left = k;
    short_of_memory = 0;
    use(bundle, arguments[2], &short_of_memory);
    if (!short_of_memory) {
      fprintf(stderr, "allocation %ld failed, and nothing said so\n", k);
      return 5;
    }
  }
  printf("%ld allocations, %d predictions\n", most, predictions);
  return 0;
}
