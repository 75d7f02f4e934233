/* A bundle's files and an engine in, a model that predicts on windows out. */
#include "onwrist_internal.h"

#include <stdlib.h>
#include <string.h>

int ow_graph(const onwrist_bundle *bundle, onwrist_role role, int sensor) {
  for (int g = 0; g < bundle->graph_count; g++)
    if (bundle->graphs[g].role == role && bundle->graphs[g].sensor == sensor) return g;
  return -1;
}

static int most(int a, int b) { return a > b ? a : b; }

/* Everything that a call needs, so that none takes memory from the heap. */
static bool make_room(onwrist_model *model) {
  const onwrist_bundle *b = model->bundle;
  ow_memory *memory = &model->memory;
  size_t channels = (size_t)b->channel_count, window = channels * (size_t)b->samples;
  size_t tasks = (size_t)b->task_count, sensors = (size_t)b->sensor_count;
  bool made = true;
#define ROOM(field, count) \
  made = made && (model->field = ow_alloc(memory, (count), sizeof *model->field)) != NULL
  ROOM(opened, (size_t)b->graph_count);
  ROOM(owned, (size_t)b->graph_count);
  ROOM(values, window);
  ROOM(ones, window);
  ROOM(observed, window);
  ROOM(counts, channels);
  ROOM(usable, channels);
  ROOM(embedding, (size_t)b->embedding);
  ROOM(outputs, tasks);
  ROOM(output_counts, tasks);
  ROOM(scale_names, tasks);
  ROOM(results, tasks);
  ROOM(task_reasons, tasks);
  ROOM(task_reason_sizes, tasks);
  ROOM(sensors, sensors);
  ROOM(sensor_reasons, sensors);
  ROOM(inputs, 8 + tasks);
  ROOM(given, 8 + tasks);
  ROOM(situation.coverage, channels);
  ROOM(situation.shares, sensors);
  ROOM(situation.live, sensors);
  ROOM(situation.left_out, sensors);
  ROOM(situation.scales, tasks);
  if (b->baseline_samples) ROOM(baseline, 3 * channels);
  if (b->step_state) {
    ROOM(state, (size_t)b->step_state);
    ROOM(next_state, (size_t)b->step_state);
  }
  if (b->restores || b->interpolated >= 0) {
    ROOM(imputed, window);
    ROOM(believed, window);
  }
  if (b->fusion_tokens) {
    ROOM(sensed, sensors * (size_t)b->fusion_tokens * (size_t)b->fusion_width);
    ROOM(live, sensors);
    ROOM(weights, sensors);
    ROOM(sense_values, window);
    ROOM(sense_ones, window);
  }
  if (b->plausible_count) ROOM(scratch, ow_plausible_scratch(b));
  if (b->patch) {
    size_t tokens = (size_t)model->tokens, width = (size_t)b->token_width;
    ROOM(embedded, tokens * width);
    ROOM(rows, tokens * width);
    ROOM(encoded, tokens * width);
    ROOM(slot_rows, tokens);
    ROOM(slots, tokens);
    ROOM(present, tokens);
    ROOM(clock, 1);
    if (b->interpolated >= 0) {
      ROOM(placed, tokens * width);
      ROOM(present_ones, tokens);
      ROOM(before, (size_t)b->samples);
      ROOM(after, (size_t)b->samples);
    }
  }
#undef ROOM
  for (size_t t = 0; made && t < tasks; t++) {
    const onwrist_task *task = &b->tasks[t];
    int count = most(2, task->label_count);
    size_t length = strlen(task->name) + sizeof "_scale";
    char *name = ow_alloc(memory, length, 1);
    model->task_reason_sizes[t] = ow_reason_size(b, task);
    model->outputs[t] = ow_alloc(memory, (size_t)count, sizeof(float));
    model->output_counts[t] = task->label_count ? task->label_count : 2;
    model->task_reasons[t] = ow_alloc(memory, model->task_reason_sizes[t], 1);
    made = name && model->outputs[t] && model->task_reasons[t];
    if (!made) break;
    memcpy(name, task->name, length - sizeof "_scale");
    memcpy(name + length - sizeof "_scale", "_scale", sizeof "_scale");
    model->scale_names[t] = name;
  }
  for (size_t s = 0; made && s < sensors; s++)
    made = (model->sensor_reasons[s] = ow_alloc(memory, OW_REASON, 1)) != NULL;
  return made;
}

static onwrist_status check_bytes(const char *file, size_t wanted, const char *sha256,
                                  const void *data, size_t bytes, onwrist_error *error) {
  char hex[65];
  if (bytes != wanted)
    return ow_fail(error, ONWRIST_BUNDLE,
                   "%s has %zu bytes and not %zu: it is of another bundle, or was cut off; "
                   "embed the bundle again", file, bytes, wanted);
  onwrist_sha256(data, bytes, hex);
  if (strcmp(hex, sha256))
    return ow_fail(error, ONWRIST_BUNDLE,
                   "%s does not have the SHA-256 of the bundle: it is another one, or damaged; "
                   "embed the bundle again", file);
  return ONWRIST_OK;
}

static onwrist_status open_graphs(onwrist_model *model, const onwrist_file *files,
                                  int file_count, onwrist_error *error) {
  const onwrist_bundle *b = model->bundle;
  for (int g = 0; g < b->graph_count; g++) {
    const onwrist_graph *graph = &b->graphs[g];
    const void *data = NULL;
    size_t bytes = 0;
    if (model->folder) {
      onwrist_status status =
          ow_read_file(model->folder, graph->file, &model->owned[g], &bytes, error);
      if (status) return status;
      data = model->owned[g];
      model->memory.bytes += bytes;
    } else {
      for (int k = 0; k < file_count && !data; k++) {
        if (strcmp(files[k].name, graph->file)) continue;
        data = files[k].data;
        bytes = files[k].bytes;
      }
      if (!data)
        return ow_fail(error, ONWRIST_BUNDLE, "%s of %s is not among the files that were given",
                       graph->file, b->name);
    }
    onwrist_status status =
        check_bytes(graph->file, graph->bytes, graph->sha256, data, bytes, error);
    if (!status) status = model->engine->open(graph, data, bytes, &model->opened[g], error);
    if (status) return status;
  }
  return ONWRIST_OK;
}

static onwrist_status open_model(const onwrist_bundle *bundle, const onwrist_engine *engine,
                                 const char *folder, const onwrist_file *files, int file_count,
                                 onwrist_model **opened, onwrist_error *error) {
  if (!bundle || !engine || !opened || (!folder && !files))
    return ow_fail(error, ONWRIST_INPUT, "a model needs a bundle's constants, an engine, and "
                                         "the bundle's files");
  *opened = NULL;
  if (bundle->channel_count < 1 || bundle->channel_count > OW_CHANNELS)
    return ow_fail(error, ONWRIST_INPUT, "a bundle has 1 to %d channels, not %d", OW_CHANNELS,
                   bundle->channel_count);
  onwrist_model *model = calloc(1, sizeof *model);
  if (!model) return ow_fail(error, ONWRIST_MEMORY, "not enough memory for %s", bundle->name);
  model->bundle = bundle;
  model->engine = engine;
  model->memory.bytes = sizeof *model;
  model->period = rint(1 / bundle->rate);
  model->patches = bundle->patch ? bundle->samples / bundle->patch : 0;
  model->tokens = model->patches * bundle->group_count;
  bool made = make_room(model);
  if (made && folder) {
    model->folder = ow_alloc(&model->memory, strlen(folder) + 1, 1);
    made = model->folder != NULL;
    if (made) memcpy(model->folder, folder, strlen(folder) + 1);
  }
  onwrist_status status = ONWRIST_OK;
  if (!made) status = ow_fail(error, ONWRIST_MEMORY, "not enough memory for %s", bundle->name);
  if (!status) status = open_graphs(model, files, file_count, error);
  if (status) {
    onwrist_close(model);
    return status;
  }
  *opened = model;
  return ONWRIST_OK;
}

onwrist_status onwrist_open(const onwrist_bundle *bundle, const onwrist_engine *engine,
                            const char *folder, onwrist_model **model, onwrist_error *error) {
  return open_model(bundle, engine, folder, NULL, 0, model, error);
}

onwrist_status onwrist_open_files(const onwrist_bundle *bundle, const onwrist_engine *engine,
                                  const onwrist_file *files, int file_count,
                                  onwrist_model **model, onwrist_error *error) {
  return open_model(bundle, engine, NULL, files, file_count, model, error);
}

void onwrist_close(onwrist_model *model) {
  if (!model) return;
  for (int g = 0; model->opened && g < model->bundle->graph_count; g++)
    if (model->opened[g]) model->engine->close(model->opened[g]);
  for (int g = 0; model->owned && g < model->bundle->graph_count; g++) free(model->owned[g]);
  ow_free_all(&model->memory);
  free(model);
}

const onwrist_bundle *onwrist_bundle_of(const onwrist_model *model) { return model->bundle; }

size_t onwrist_model_bytes(const onwrist_model *model) { return model->memory.bytes; }

/* ---- A window of a caller ---- */

onwrist_window onwrist_window_of(const float *values) {
  onwrist_window window = {values, NULL, NULL, NAN, 0, false};
  return window;
}

static onwrist_status check_window(const onwrist_bundle *b, const onwrist_window *window,
                                   onwrist_error *error) {
  if (!window || !window->values)
    return ow_fail(error, ONWRIST_INPUT, "a window needs values (%d, %d)", b->channel_count,
                   b->samples);
  for (int c = 0; c < b->channel_count; c++) {
    for (int k = 0; k < b->samples; k++) {
      float value = window->values[(size_t)c * (size_t)b->samples + (size_t)k];
      if (fabsf(value) >= OW_LARGEST)
        return ow_fail(error, ONWRIST_INPUT,
                       "channel '%s' is %g at sample %d; a value must be below %g in magnitude, "
                       "and NaN where it is missing", b->channels[c].name, (double)value, k,
                       (double)OW_LARGEST);
    }
  }
  if (!isnan(window->start) && !(fabs(window->start) <= OW_LATEST))
    return ow_fail(error, ONWRIST_INPUT, "a window's start must be in seconds, not %g "
                                         "(milliseconds, perhaps?)", window->start);
  if (window->impute && !(b->restores || b->interpolated >= 0))
    return ow_fail(error, ONWRIST_INPUT, "%s %s cannot impute: leave out impute", b->name,
                   b->version);
  if (b->patch && isnan(window->start))
    return ow_fail(error, ONWRIST_INPUT,
                   "%s %s asks for the time of day: say when the window begins by start, in "
                   "seconds of local time, or with midnight", b->name, b->version);
  if (window->baseline && !b->baseline_samples)
    return ow_fail(error, ONWRIST_INPUT, "%s %s takes no baseline", b->name, b->version);
  for (int k = 0; window->baseline && k < 2 * b->channel_count; k++) {
    double one = window->baseline[k];
    if (isnan(one) || (fabs(one) < OW_LARGEST && (k % 2 == 0 || one >= 0))) continue;
    return ow_fail(error, ONWRIST_INPUT,
                   "a baseline is finite, or NaN where unknown, and its scale >= 0");
  }
  return ONWRIST_OK;
}

onwrist_status onwrist_predict(onwrist_model *model, const onwrist_window *window,
                               const onwrist_prediction **prediction, onwrist_error *error) {
  if (!model || !prediction) return ow_no_model(error);
  const onwrist_bundle *b = model->bundle;
  onwrist_status status = check_window(b, window, error);
  if (status) return status;
  int clock = 0;
  if (b->patch) {
    if (!(fabs(window->midnight) <= OW_LATEST))
      return ow_fail(error, ONWRIST_INPUT, "a midnight must be in seconds, not %g",
                     window->midnight);
    clock = ow_clock(window->start, window->midnight, model->period, b->patch, model->patches);
    if (clock < 0)
      return ow_fail(error, ONWRIST_INPUT,
                     "a window begins at a multiple of %g s after midnight, and start=%.17g is "
                     "not at one (midnight=%.17g): state the midnight of its clock, or choose "
                     "another start", b->patch * model->period, window->start, window->midnight);
  }
  size_t count = (size_t)b->channel_count * (size_t)b->samples;
  for (size_t k = 0; k < count; k++) {
    float value = window->values[k];
    model->observed[k] = !isnan(value) && (!window->observed || window->observed[k]);
    model->values[k] = model->observed[k] ? value : 0;
    model->ones[k] = model->observed[k];
  }
  if (b->baseline_samples) {
    memset(model->baseline, 0, 3 * (size_t)b->channel_count * sizeof(float));
    if (window->baseline) ow_baseline_input(window->baseline, b->channel_count, model->baseline);
  }
  ow_look(model, true);
  bool ran = false;
  status = ow_run_window(model, window->impute, clock, &ran, error);
  if (status) return status;
  *prediction = ow_predicted(model, ran, window->impute, window->start);
  return ONWRIST_OK;
}
