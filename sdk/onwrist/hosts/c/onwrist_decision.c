/* What was observed of a window and what a graph gave in, one result for each task and sensor
   out. Here a model abstains: the reason is given in the words of every host. */
#include "onwrist_internal.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char *const NOTHING_OBSERVED = "nothing was observed";

/* ---- The situation ---- */

static double least_of(const onwrist_bundle *bundle) {
  /* Without patterns a sensor is live as soon as anything of it was observed. */
  return bundle->pattern_count ? bundle->least : 5e-324;
}

void ow_situate(const onwrist_bundle *bundle, const int *counts, ow_situation *situation) {
  situation->doubted = false;
  for (int s = 0; s < bundle->sensor_count; s++) {
    /* Whole numbers are added up and divided once: the same bits on every host. */
    int64_t sum = 0, points = 0;
    for (int c = 0; c < bundle->channel_count; c++) {
      if (bundle->channels[c].sensor_index != s) continue;
      sum += counts[c];
      points += bundle->samples;
    }
    situation->shares[s] = (double)sum / (double)points;
    bool believed = situation->left_out[s][0] == 0;
    situation->live[s] = situation->shares[s] >= least_of(bundle) && believed;
    if (!believed) situation->doubted = true;
  }
  for (int c = 0; c < bundle->channel_count; c++)
    situation->coverage[c] = (double)counts[c] / bundle->samples;
  situation->pattern = NULL;
  for (int p = 0; p < bundle->pattern_count && !situation->pattern; p++)
    if (!memcmp(bundle->patterns[p].sensors, situation->live, (size_t)bundle->sensor_count))
      situation->pattern = &bundle->patterns[p];
  for (int t = 0; t < bundle->task_count; t++) {
    double temperature = situation->pattern ? situation->pattern->temperatures[t] : 0;
    situation->scales[t] = (float)(1 / (temperature > 0 ? temperature : 1.0));
  }
}

bool ow_any_live(const onwrist_bundle *bundle, const ow_situation *situation) {
  for (int s = 0; s < bundle->sensor_count; s++)
    if (situation->live[s]) return true;
  return false;
}

/* ---- Reasons ---- */

typedef struct {
  char *text;
  size_t size, used;
} line;

static void say(line *to, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

static void say(line *to, const char *format, ...) {
  va_list arguments;
  if (to->used >= to->size) return;
  va_start(arguments, format);
  int written = vsnprintf(to->text + to->used, to->size - to->used, format, arguments);
  va_end(arguments);
  if (written > 0) to->used += (size_t)written;
}

static void number(char *text, size_t size, double value, int digits) {
  if (isnan(value)) snprintf(text, size, "nan");
  else snprintf(text, size, "%.*f", digits, value);
}

/* As many digits as it takes to see that the one is below the other. */
static void say_below(line *to, const char *what, double value, double least) {
  static const int DIGITS[] = {2, 4, 9};
  char own[340], asked[340];
  for (int k = 0; k < 3; k++) {
    number(own, sizeof own, value, DIGITS[k]);
    number(asked, sizeof asked, least, DIGITS[k]);
    if (strcmp(own, asked)) break;
  }
  say(to, "%s %s is below %s", what, own, asked);
}

/* "a, b and c" of the live sensors; how many they are. */
static int say_live(line *to, const onwrist_bundle *bundle, const ow_situation *situation) {
  int total = 0, said = 0;
  for (int s = 0; s < bundle->sensor_count; s++) total += situation->live[s] != 0;
  for (int s = 0; s < bundle->sensor_count; s++) {
    if (!situation->live[s]) continue;
    if (said) say(to, said + 1 == total ? " and " : ", ");
    say(to, "%s", bundle->sensors[s]);
    said++;
  }
  return total;
}

static void say_not_run(line *to, const onwrist_bundle *bundle, const double *usable,
                        const ow_situation *situation) {
  if (situation->doubted) {
    say(to, "too little of what was observed can be believed");
    return;
  }
  for (int c = 0; c < bundle->channel_count; c++) {
    if (usable[c] > 0) {
      say(to, "too little was observed");
      return;
    }
  }
  say(to, "%s", NOTHING_OBSERVED);
}

static bool say_lack(line *to, const onwrist_bundle *bundle, const onwrist_task *task,
                     const double *usable) {
  bool any = false;
  for (int k = 0; k < task->required_count; k++) {
    const onwrist_need *need = &task->required[k];
    if (!(usable[need->channel] < need->least)) continue;
    say(to, "%s%s ", any ? " and " : "", bundle->channels[need->channel].name);
    say_below(to, "coverage", usable[need->channel], need->least);
    any = true;
  }
  if (any || !task->any_of_count) return any;
  for (int k = 0; k < task->any_of_count; k++)
    if (!(usable[task->any_of[k].channel] < task->any_of[k].least)) return false;
  say(to, "too little of all of: ");
  for (int k = 0; k < task->any_of_count; k++) {
    const onwrist_need *need = &task->any_of[k];
    say(to, "%s%s ", k ? ", " : "", bundle->channels[need->channel].name);
    say_below(to, "coverage", usable[need->channel], need->least);
  }
  return true;
}

static bool say_not_calibrated(line *to, const onwrist_bundle *bundle, int task,
                               const ow_situation *situation) {
  if (!bundle->pattern_count) return false;
  if (situation->pattern && situation->pattern->temperatures[task] > 0) return false;
  if (!ow_any_live(bundle, situation)) {
    say(to, "too little was observed");
    return true;
  }
  say(to, "not calibrated for ");
  if (say_live(to, bundle, situation) < bundle->sensor_count) say(to, " alone");
  return true;
}

/* ---- Results ---- */

size_t ow_reason_size(const onwrist_bundle *bundle, const onwrist_task *task) {
  size_t size = 128;
  for (int k = 0; k < task->required_count; k++)
    size += strlen(bundle->channels[task->required[k].channel].name) + 64;
  for (int k = 0; k < task->any_of_count; k++)
    size += strlen(bundle->channels[task->any_of[k].channel].name) + 64;
  for (int s = 0; s < bundle->sensor_count; s++) size += strlen(bundle->sensors[s]) + 8;
  return size;
}

void ow_decide(const onwrist_bundle *bundle, int index, const float *output,
               const double *usable, const ow_situation *situation, char *reason,
               size_t reason_size, onwrist_result *result) {
  const onwrist_task *task = &bundle->tasks[index];
  line to = {reason, reason_size, 0};
  memset(result, 0, sizeof *result);
  result->name = task->name;
  result->unit = task->unit;
  result->value = result->confidence = NAN;
  result->label_index = -1;
  result->abstained = true;
  result->reason = reason;
  reason[0] = 0;
  if (!output) {
    say_not_run(&to, bundle, usable, situation);
    return;
  }
  if (say_lack(&to, bundle, task, usable)) return;
  if (say_not_calibrated(&to, bundle, index, situation)) return;
  int best = 0;
  for (int k = 1; k < task->label_count; k++)
    if (output[k] > output[best]) best = k;
  result->confidence = task->label_count ? output[best] : output[1];
  double least = bundle->pattern_count ? situation->pattern->minimum_confidence[index]
                                       : task->minimum_confidence;
  if (!(result->confidence >= least)) {
    say_below(&to, "confidence", result->confidence, least);
    if (bundle->pattern_count) {
      say(&to, ", which ");
      int live = say_live(&to, bundle, situation);
      say(&to, live == 1 ? " asks for" : " ask for");
    }
    return;
  }
  result->abstained = false;
  result->reason = NULL;
  if (task->label_count) {
    result->label = task->labels[best];
    result->label_index = best;
    result->probabilities = output;
    result->probability_count = task->label_count;
  } else {
    result->value = output[0];
  }
}

void ow_tell_sensor(const onwrist_bundle *bundle, int sensor, const float *weights,
                    const ow_situation *situation, char *reason, size_t reason_size,
                    onwrist_sensor *told) {
  double share = situation->shares[sensor], least = least_of(bundle);
  line to = {reason, reason_size, 0};
  told->name = bundle->sensors[sensor];
  told->coverage = share;
  told->used = situation->live[sensor] != 0;
  told->weight = weights ? weights[sensor] : NAN;
  reason[0] = 0;
  if (share == 0) say(&to, "%s", NOTHING_OBSERVED);
  else if (share < least) say_below(&to, "coverage", share, least);
  else say(&to, "%s", situation->left_out[sensor]);
  told->reason = reason[0] ? reason : NULL;
}
