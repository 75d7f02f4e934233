/* Cases of the shared vectors in, what the C host gives out: words on stdin, a JSON value for
   each case on stdout. c_host.py writes the words. */
#include "bundle_words.h"
#include "onwrist_internal.h"

void stream_case(void); /* stream_case.c */

/* ---- Arithmetic ---- */

static void resampling(void) {
  ow_memory memory = {0};
  ow_kernel kernel;
  double rate = number(), grid_rate = number();
  ow_index first = (ow_index)number();
  int count = whole();
  size_t n = (size_t)whole(), real = 0;
  double *times = doubles(n), *scratch = some(n, sizeof *scratch);
  float *samples = floats(n), *out = some((size_t)count, sizeof *out);
  uint8_t *observed = some((size_t)count, 1);
  for (size_t k = 0; k < n; k++) {
    if (isnan(samples[k])) continue;
    times[real] = times[k];
    samples[real++] = samples[k];
  }
  if (!ow_kernel_make(&kernel, &memory, rate, grid_rate)) exit(3);
  ow_resample(&kernel, times, samples, n, 1, real, first, count, scratch, out, observed,
              (size_t)count);
  printf("{\"values\":");
  TELL_ALL(out, count, tell);
  printf(",\"observed\":");
  TELL_ALL(observed, count, tell_bool);
  printf("}\n");
  ow_free_all(&memory);
}

static void aggregation(void) {
  ow_minutes minutes;
  minutes.period = number();
  minutes.zero = number();
  bool sums = whole();
  ow_index first = (ow_index)number();
  int count = whole();
  size_t n = (size_t)whole();
  double *times = doubles(n);
  float *samples = floats(n), *out = some((size_t)count, sizeof *out);
  uint8_t *observed = some((size_t)count, 1);
  ow_aggregate(&minutes, times, samples, n, sums, first, count, out, observed);
  printf("{\"values\":");
  TELL_ALL(out, count, tell);
  printf(",\"observed\":");
  TELL_ALL(observed, count, tell_bool);
  printf("}\n");
}

static uint8_t *ones(size_t count) {
  uint8_t *made = some(count, 1);
  const char *points = next();
  for (size_t k = 0; k < count; k++) made[k] = points[k] == '1';
  return made;
}

static void token_slots(void) {
  onwrist_bundle *b = bundle();
  int patches = b->samples / b->patch, tokens = patches * b->group_count;
  uint8_t *observed = ones((size_t)b->channel_count * (size_t)b->samples);
  uint8_t *present = some((size_t)tokens, 1);
  int *found = some((size_t)tokens + 64, sizeof *found);
  int there = ow_present(b, observed, (size_t)b->samples, patches, present);
  int size = ow_slots(b, present, there, tokens, found);
  printf("{\"size\":%d,\"slots\":", size);
  TELL_ALL(found, size, tell_int);
  printf("}\n");
}

static void nearest(void) {
  int count = whole();
  uint8_t *observed = ones((size_t)count);
  float *before = some((size_t)count, sizeof *before), *after = some((size_t)count, sizeof *after);
  ow_nearest(observed, count, before, after);
  printf("{\"before\":");
  TELL_ALL(before, count, tell);
  printf(",\"after\":");
  TELL_ALL(after, count, tell);
  printf("}\n");
}

/* ---- Decisions ---- */

static ow_situation situation_of(const onwrist_bundle *b) {
  ow_situation made = {0};
  made.coverage = some((size_t)b->channel_count, sizeof(double));
  made.shares = some((size_t)b->sensor_count, sizeof(double));
  made.live = some((size_t)b->sensor_count, 1);
  made.left_out = some((size_t)b->sensor_count, OW_REASON);
  made.scales = some((size_t)b->task_count, sizeof(float));
  return made;
}

static void decision(void) {
  onwrist_bundle *b = bundle();
  ow_situation situation = situation_of(b);
  int count = whole();
  float *output = count < 0 ? NULL : floats((size_t)count);
  double *coverage = doubles((size_t)b->channel_count);
  for (int s = 0; s < b->sensor_count; s++) situation.live[s] = (uint8_t)whole();
  for (int p = 0; p < b->pattern_count && !situation.pattern; p++)
    if (!memcmp(b->patterns[p].sensors, situation.live, (size_t)b->sensor_count))
      situation.pattern = &b->patterns[p];
  size_t size = ow_reason_size(b, b->tasks);
  char *reason = some(size, 1);
  onwrist_result result;
  ow_decide(b, 0, output, coverage, &situation, reason, size, &result);
  tell_result(&result);
  printf("\n");
}

static void sensors(void) {
  onwrist_bundle *b = bundle();
  ow_situation situation = situation_of(b);
  int *counts = integers((size_t)b->channel_count);
  for (int s = 0; s < b->sensor_count; s++) {
    char *why = text();
    if (why) snprintf(situation.left_out[s], OW_REASON, "%s", why);
  }
  ow_situate(b, counts, &situation);
  printf("{\"coverage\":");
  TELL_ALL(situation.coverage, b->channel_count, tell);
  printf(",\"sensors\":");
  TELL_ALL(situation.shares, b->sensor_count, tell);
  printf(",\"live\":");
  TELL_ALL(situation.live, b->sensor_count, tell_bool);
  printf(",\"scales\":");
  TELL_ALL(situation.scales, b->task_count, tell);
  printf(",\"calibrated\":[");
  for (int t = 0; t < b->task_count; t++) {
    bool is = situation.pattern && situation.pattern->temperatures[t] > 0;
    printf(t ? ",%s" : "%s", is ? "true" : "false");
  }
  printf("],\"reasons\":[");
  for (int s = 0; s < b->sensor_count; s++) {
    char reason[OW_REASON];
    onwrist_sensor told;
    ow_tell_sensor(b, s, NULL, &situation, reason, sizeof reason, &told);
    if (s) putchar(',');
    tell_text(told.reason);
  }
  printf("]}\n");
}

static void judged(void) {
  onwrist_bundle *b = bundle();
  size_t count = (size_t)b->channel_count * (size_t)b->samples;
  float *values = floats(count), *scratch = some(ow_plausible_scratch(b), sizeof *scratch);
  uint8_t *observed = some(count, 1);
  char(*reasons)[OW_REASON] = some((size_t)b->sensor_count, OW_REASON);
  for (size_t k = 0; k < count; k++) {
    observed[k] = !isnan(values[k]);
    if (!observed[k]) values[k] = 0;
  }
  ow_implausible(b, values, observed, scratch, reasons);
  TELL_ALL(reasons, b->sensor_count, tell_text);
  printf("\n");
}

int main(void) {
  for (;;) {
    switch (*next()) {
      case 'R': resampling(); break;
      case 'M': aggregation(); break;
      case 'S': token_slots(); break;
      case 'N': nearest(); break;
      case 'D': decision(); break;
      case 'V': sensors(); break;
      case 'P': judged(); break;
      case 'T': stream_case(); break;
      case 'C': {
        double start = number(), midnight = number(), period = number();
        int patch = whole();
        printf("{\"clock\":%d}\n", ow_clock(start, midnight, period, patch,
                                             (int)rint(86400 / period) / patch));
        break;
      }
      default: return 2;
    }
  }
}
