/* Proof that an engine gives a bundle's numbers on this processor.

   The golden windows, and the golden steps of one stream, go through the engine; its outputs are
   held against those that the bundle was packed with. */
#include "onwrist_internal.h"
#include "onwrist_safetensors.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct {
  onwrist_model *model;
  const void *data;
  size_t bytes;
  const char *part; /* "" or "step/" */
  int count;        /* windows or steps */
  onwrist_error *error;
} golden;

/* A tensor of (count, size), or why there is none. */
static onwrist_status find(const golden *g, const char *before, const char *name, size_t size,
                           size_t item, ow_tensor *found) {
  char key[256];
  const char *file = g->model->bundle->golden.file;
  snprintf(key, sizeof key, "%s%s%s", before, g->part, name);
  if (!ow_find_tensor(g->data, g->bytes, key, found))
    return ow_fail(g->error, ONWRIST_BUNDLE, "%s has no tensor '%s'", file, key);
  if (found->item != item || found->count != (size_t)g->count * size)
    return ow_fail(g->error, ONWRIST_BUNDLE, "%s: '%s' has %zu numbers of %zu bytes, not %zu of "
                   "%zu", file, key, found->count, found->item, (size_t)g->count * size, item);
  return ONWRIST_OK;
}

static float number(const ow_tensor *tensor, size_t at) {
  float value;
  memcpy(&value, tensor->data + at * sizeof value, sizeof value);
  return value;
}

typedef struct {
  const char *name;
  const float *data;
  size_t size;
  ow_tensor expected;
} output;

/* The outputs of a window in the order of the tolerances; how many they are. */
static int outputs_of(onwrist_model *model, output *outputs, bool step) {
  const onwrist_bundle *b = model->bundle;
  size_t window = (size_t)b->channel_count * (size_t)b->samples;
  int count = 0;
  outputs[count++] = (output){"embedding", model->embedding, (size_t)b->embedding, {0}};
  for (int t = 0; t < b->task_count; t++)
    outputs[count++] = (output){b->tasks[t].name, model->outputs[t],
                                (size_t)model->output_counts[t], {0}};
  if (model->weights)
    outputs[count++] = (output){"weights", model->weights, (size_t)b->sensor_count, {0}};
  if (model->imputed && !step) outputs[count++] = (output){"imputed", model->imputed, window, {0}};
  return count;
}

static void hold(double *difference, const output *one, size_t index) {
  for (size_t k = 0; k < one->size; k++) {
    double off = fabs((double)one->data[k] - number(&one->expected, index * one->size + k));
    /* A difference that is NaN stays. */
    if (!(off <= *difference) && !isnan(*difference)) *difference = off;
  }
}

/* Tokens of single patches are those of the whole day, to the bit. */
static onwrist_status try_patches(onwrist_model *model, onwrist_report *report,
                                  onwrist_error *error) {
  const onwrist_bundle *b = model->bundle;
  size_t patch = (size_t)b->patch, samples = (size_t)b->samples;
  size_t channels = (size_t)b->channel_count;
  size_t each = (size_t)b->group_count * (size_t)b->token_width;
  float *day = malloc(channels * samples * sizeof *day), *alone = model->rows;
  if (!day) return ow_fail(error, ONWRIST_MEMORY, "not enough memory to verify %s", b->name);
  memcpy(day, model->values, channels * samples * sizeof *day);
  onwrist_status status = ONWRIST_OK;
  for (size_t p = 0; p < (size_t)model->patches && !status; p++) {
    for (size_t c = 0; c < channels; c++) {
      for (size_t k = 0; k < patch; k++) {
        size_t from = c * samples + p * patch + k;
        model->values[c * patch + k] = day[from];
        model->ones[c * patch + k] = model->observed[from];
      }
    }
    status = ow_embed(model, b->patch, alone, error);
    for (size_t k = 0; k < each && !status; k++) {
      double off = fabs((double)alone[k] - model->embedded[p * each + k]);
      if (!(off <= report->token_difference)) report->token_difference = off;
    }
    report->patches++;
  }
  free(day);
  return status;
}

static onwrist_status replay(const golden *g, bool step, double *differences,
                             onwrist_report *report) {
  onwrist_model *model = g->model;
  const onwrist_bundle *b = model->bundle;
  output outputs[260];
  ow_tensor values, observed, baseline = {0}, clock = {0};
  size_t channels = (size_t)b->channel_count, samples = (size_t)b->samples;
  size_t points = step ? (size_t)b->step_samples : samples, size = channels * points;
  int count = outputs_of(model, outputs, step);
  char before[64];
  snprintf(before, sizeof before, "%s/", b->golden.format);
  onwrist_status status = find(g, "", "values", size, 4, &values);
  if (!status) status = find(g, "", "observed", size, 1, &observed);
  if (!status && b->baseline_samples) status = find(g, "", "baseline", 3 * channels, 4, &baseline);
  if (!status && b->patch) status = find(g, "", "clock", 1, 4, &clock);
  for (int k = 0; k < count && !status; k++)
    status = find(g, before, outputs[k].name, outputs[k].size, 4, &outputs[k].expected);
  if (status) return status;
  memset(model->observed, 0, channels * samples);
  if (step) memset(model->state, 0, (size_t)b->step_state * sizeof(float));
  for (size_t w = 0; w < (size_t)g->count && !status; w++) {
    for (size_t c = 0; c < channels; c++) {
      uint8_t *seen = model->observed + c * samples;
      memmove(seen, seen + points, samples - points);
      for (size_t k = 0; k < points; k++) {
        size_t from = w * size + c * points + k;
        seen[samples - points + k] = observed.data[from] != 0;
        model->values[c * points + k] = number(&values, from);
        model->ones[c * points + k] = seen[samples - points + k];
      }
    }
    for (size_t k = 0; baseline.data && k < 3 * channels; k++)
      model->baseline[k] = number(&baseline, w * 3 * channels + k);
    ow_look(model, false);
    bool ran = true;
    if (step) status = ow_run_step(model, g->error);
    else status = ow_run_window(model, model->imputed != NULL,
                                clock.data ? (int)number(&clock, w) : 0, &ran, g->error);
    if (!status && !ran)
      status = ow_fail(g->error, ONWRIST_BUNDLE, "%s has a window in which nothing is run",
                       b->golden.file);
    if (status) break;
    for (int k = 0; k < count; k++) hold(&differences[k], &outputs[k], w);
    if (step) memcpy(model->state, model->next_state, (size_t)b->step_state * sizeof(float));
    if (b->patch) status = try_patches(model, report, g->error);
  }
  return status;
}

/* The first output that is further off than it may be; NULL if none is. */
static const char *too_far(const onwrist_model *model, const onwrist_report *report,
                           const double *tolerance, double *off, double *most) {
  const onwrist_bundle *b = model->bundle;
  *off = report->token_difference;
  *most = 0;
  if (report->token_difference != 0) return "tokens";
  for (int k = 0; k < report->output_count; k++) {
    /* Steps have no further outputs; theirs stay 0. */
    double step = report->step_difference[k];
    *off = isnan(step) || step > report->difference[k] ? step : report->difference[k];
    *most = tolerance[k];
    if (*off <= *most) continue;
    return k == 0 ? "embedding" : k <= b->task_count ? b->tasks[k - 1].name : "signals";
  }
  return NULL;
}

static onwrist_status judge(onwrist_model *model, onwrist_report *report,
                            onwrist_error *error) {
  const onwrist_bundle *b = model->bundle;
  double off, most;
  report->output_count = 1 + b->task_count + (model->weights != NULL) + (model->imputed != NULL);
  const char *worst = too_far(model, report, b->golden.tolerance, &off, &most);
  if (worst && model->engine->rounds_otherwise) {
    worst = too_far(model, report, b->golden.loose, &off, &most);
    report->loose = worst == NULL;
  }
  report->passed = worst == NULL;
  if (report->passed) return ONWRIST_OK;
  return ow_fail(error, ONWRIST_PARITY,
                 "%s is off the golden vectors of %s %s on this processor: %s by %.3g (at most "
                 "%.3g); try another engine, and report this", model->engine->name, b->name,
                 b->version, worst, off, most);
}

onwrist_status onwrist_verify(onwrist_model *model, const void *data, size_t bytes,
                              onwrist_report *told, onwrist_error *error) {
  if (!model) return ow_no_model(error);
  const onwrist_bundle *b = model->bundle;
  onwrist_report *report = calloc(1, sizeof *report);
  void *read = NULL;
  onwrist_status status = ONWRIST_OK;
  if (!report) return ow_fail(error, ONWRIST_MEMORY, "not enough memory to verify %s", b->name);
  if (!data && model->folder) {
    status = ow_read_file(model->folder, b->golden.file, &read, &bytes, error);
    data = read;
  } else if (!data) {
    status = ow_fail(error, ONWRIST_INPUT, "give the bytes of %s", b->golden.file);
  }
  char hex[65] = "";
  if (!status) onwrist_sha256(data, bytes, hex);
  if (!status && (bytes != b->golden.bytes || strcmp(hex, b->golden.sha256)))
    status = ow_fail(error, ONWRIST_BUNDLE,
                     "%s is not that of %s %s, or was cut off; embed the bundle again",
                     b->golden.file, b->name, b->version);
  golden windows = {model, data, bytes, "", b->golden.windows, error};
  golden steps = {model, data, bytes, "step/", b->golden.steps, error};
  report->windows = windows.count;
  if (!status) status = replay(&windows, false, report->difference, report);
  if (!status && steps.count) {
    report->steps = steps.count;
    status = replay(&steps, true, report->step_difference, report);
  }
  if (!status) status = judge(model, report, error);
  if (told) *told = *report;
  free(report);
  free(read);
  return status;
}
