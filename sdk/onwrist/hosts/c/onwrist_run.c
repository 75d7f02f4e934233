/* A window that was loaded in, what its graphs give out: one graph, a day's, or a fusion's. */
#include "onwrist_internal.h"

#include <string.h>

static size_t window_size(const onwrist_bundle *b) {
  return (size_t)b->channel_count * (size_t)b->samples;
}

static onwrist_tensor tensor(const char *name, float *data, size_t count) {
  onwrist_tensor made = {name, data, count};
  return made;
}

static onwrist_status run(onwrist_model *model, int graph, int size, int inputs, int given,
                          onwrist_error *error) {
  if (graph < 0)
    return ow_fail(error, ONWRIST_BUNDLE, "%s has no graph for this", model->bundle->name);
  return model->engine->run(model->opened[graph], size, model->inputs, inputs, model->given,
                            given, error);
}

static int add_scales(onwrist_model *model, int at) {
  if (!model->bundle->pattern_count) return at;
  for (int t = 0; t < model->bundle->task_count; t++)
    model->inputs[at++] = tensor(model->scale_names[t], &model->situation.scales[t], 1);
  return at;
}

/* The embedding and the tasks, which every graph that answers gives. */
static int add_answers(onwrist_model *model) {
  const onwrist_bundle *b = model->bundle;
  int at = 0;
  model->given[at++] = tensor("embedding", model->embedding, (size_t)b->embedding);
  for (int t = 0; t < b->task_count; t++)
    model->given[at++] =
        tensor(b->tasks[t].name, model->outputs[t], (size_t)model->output_counts[t]);
  return at;
}

void ow_load(onwrist_model *model, const float *values, const uint8_t *observed, size_t stride) {
  const onwrist_bundle *b = model->bundle;
  size_t samples = (size_t)b->samples;
  for (int c = 0; c < b->channel_count; c++) {
    size_t to = (size_t)c * samples, from = (size_t)c * stride;
    memcpy(model->values + to, values + from, samples * sizeof(float));
    memcpy(model->observed + to, observed + from, samples);
    for (size_t k = 0; k < samples; k++) model->ones[to + k] = observed[from + k];
  }
}

static void count(onwrist_model *model) {
  const onwrist_bundle *b = model->bundle;
  for (int c = 0; c < b->channel_count; c++) {
    const uint8_t *row = model->observed + (size_t)c * (size_t)b->samples;
    model->counts[c] = 0;
    for (int k = 0; k < b->samples; k++) model->counts[c] += row[k] != 0;
  }
}

void ow_look(onwrist_model *model, bool judge) {
  const onwrist_bundle *b = model->bundle;
  for (int s = 0; s < b->sensor_count; s++) model->situation.left_out[s][0] = 0;
  if (judge && b->plausible_count)
    ow_implausible(b, model->values, model->observed, model->scratch, model->situation.left_out);
  count(model);
  ow_situate(b, model->counts, &model->situation);
}

/* ---- A fusion ---- */

static onwrist_status run_sensors(onwrist_model *model, onwrist_error *error) {
  const onwrist_bundle *b = model->bundle;
  size_t each = (size_t)b->fusion_tokens * (size_t)b->fusion_width;
  size_t samples = (size_t)b->samples;
  memset(model->sensed, 0, (size_t)b->sensor_count * each * sizeof(float));
  for (int s = 0; s < b->sensor_count; s++) {
    model->live[s] = model->situation.live[s];
    if (!model->situation.live[s]) continue;
    size_t rows = 0;
    for (int c = 0; c < b->channel_count; c++) {
      if (b->channels[c].sensor_index != s) continue;
      size_t from = (size_t)c * samples;
      memcpy(model->sense_values + rows * samples, model->values + from, samples * sizeof(float));
      memcpy(model->sense_ones + rows * samples, model->ones + from, samples * sizeof(float));
      rows++;
    }
    model->inputs[0] = tensor("values", model->sense_values, rows * samples);
    model->inputs[1] = tensor("observed", model->sense_ones, rows * samples);
    model->given[0] = tensor("sensed", model->sensed + (size_t)s * each, each);
    onwrist_status status =
        run(model, ow_graph(b, ONWRIST_SENSE_GRAPH, s), b->samples, 2, 1, error);
    if (status) return status;
  }
  return ONWRIST_OK;
}

static onwrist_status run_fusion(onwrist_model *model, bool impute, onwrist_error *error) {
  const onwrist_bundle *b = model->bundle;
  size_t each = (size_t)b->fusion_tokens * (size_t)b->fusion_width;
  onwrist_status status = run_sensors(model, error);
  if (status) return status;
  model->inputs[0] = tensor("sensed", model->sensed, (size_t)b->sensor_count * each);
  model->inputs[1] = tensor("live", model->live, (size_t)b->sensor_count);
  int inputs = add_scales(model, 2), given = add_answers(model);
  model->given[given++] = tensor("weights", model->weights, (size_t)b->sensor_count);
  status = run(model, ow_graph(b, ONWRIST_FUSE_GRAPH, -1), b->samples, inputs, given, error);
  if (status || !impute) return status;
  model->given[0] = tensor("imputed", model->imputed, window_size(b));
  return run(model, ow_graph(b, ONWRIST_DECODE_GRAPH, -1), b->samples, 2, 1, error);
}

/* ---- A day ---- */

onwrist_status ow_embed(onwrist_model *model, int size, float *tokens, onwrist_error *error) {
  const onwrist_bundle *b = model->bundle;
  size_t points = (size_t)b->channel_count * (size_t)size;
  size_t count = (size_t)(size / b->patch * b->group_count) * (size_t)b->token_width;
  model->inputs[0] = tensor("values", model->values, points);
  model->inputs[1] = tensor("observed", model->ones, points);
  model->given[0] = tensor("tokens", tokens, count);
  return run(model, ow_graph(b, ONWRIST_EMBED_GRAPH, -1), size, 2, 1, error);
}

onwrist_status ow_answer_day(onwrist_model *model, const float *tokens, int there, int clock,
                             bool impute, onwrist_error *error) {
  const onwrist_bundle *b = model->bundle;
  size_t width = (size_t)b->token_width, all = (size_t)model->tokens;
  int size = ow_slots(b, model->present, there, model->tokens, model->slots);
  memset(model->rows, 0, (size_t)size * width * sizeof(float));
  for (int k = 0; k < size; k++) {
    model->slot_rows[k] = (float)model->slots[k];
    if (k < there)
      memcpy(model->rows + (size_t)k * width, tokens + (size_t)model->slots[k] * width,
             width * sizeof(float));
  }
  *model->clock = (float)clock;
  model->inputs[0] = tensor("tokens", model->rows, (size_t)size * width);
  model->inputs[1] = tensor("slots", model->slot_rows, (size_t)size);
  model->inputs[2] = tensor("clock", model->clock, 1);
  int given = add_answers(model);
  model->given[given++] = tensor("encoded", model->encoded, (size_t)size * width);
  onwrist_status status =
      run(model, ow_graph(b, ONWRIST_ENCODE_GRAPH, -1), size, 3, given, error);
  if (status || !impute) return status;
  memset(model->placed, 0, all * width * sizeof(float));
  for (int k = 0; k < there; k++)
    memcpy(model->placed + (size_t)model->slots[k] * width, model->encoded + (size_t)k * width,
           width * sizeof(float));
  for (size_t k = 0; k < all; k++) model->present_ones[k] = model->present[k];
  ow_nearest(model->observed + (size_t)b->interpolated * (size_t)b->samples, b->samples,
             model->before, model->after);
  int at = 0;
  model->inputs[at++] = tensor("encoded", model->placed, all * width);
  model->inputs[at++] = tensor("present", model->present_ones, all);
  model->inputs[at++] = tensor("values", model->values, window_size(b));
  model->inputs[at++] = tensor("observed", model->ones, window_size(b));
  model->inputs[at++] = tensor("before", model->before, (size_t)b->samples);
  model->inputs[at++] = tensor("after", model->after, (size_t)b->samples);
  model->inputs[at++] = tensor("clock", model->clock, 1);
  model->given[0] = tensor("imputed", model->imputed, window_size(b));
  return run(model, ow_graph(b, ONWRIST_DECODE_GRAPH, -1), b->samples, at, 1, error);
}

/* ---- Any window ---- */

onwrist_status ow_run_window(onwrist_model *model, bool impute, int clock, bool *ran,
                             onwrist_error *error) {
  const onwrist_bundle *b = model->bundle;
  *ran = false;
  onwrist_status status;
  if (b->patch) {
    int there = ow_present(b, model->observed, (size_t)b->samples, model->patches, model->present);
    if (!there) return ONWRIST_OK;
    status = ow_embed(model, b->samples, model->embedded, error);
    if (!status) status = ow_answer_day(model, model->embedded, there, clock, impute, error);
  } else if (b->fusion_tokens) {
    if (!ow_any_live(b, &model->situation)) return ONWRIST_OK;
    status = run_fusion(model, impute, error);
  } else {
    bool any = false;
    for (int c = 0; c < b->channel_count; c++) any = any || model->counts[c] > 0;
    if (!any) return ONWRIST_OK;
    int at = 0;
    model->inputs[at++] = tensor("values", model->values, window_size(b));
    model->inputs[at++] = tensor("observed", model->ones, window_size(b));
    if (b->baseline_samples)
      model->inputs[at++] = tensor("baseline", model->baseline, 3 * (size_t)b->channel_count);
    at = add_scales(model, at);
    int given = add_answers(model);
    status = run(model, ow_graph(b, ONWRIST_WINDOW_GRAPH, -1), b->samples, at, given, error);
  }
  *ran = !status;
  return status;
}

onwrist_status ow_run_step(onwrist_model *model, onwrist_error *error) {
  const onwrist_bundle *b = model->bundle;
  size_t points = (size_t)b->channel_count * (size_t)b->step_samples;
  int at = 0;
  model->inputs[at++] = tensor("values", model->values, points);
  model->inputs[at++] = tensor("observed", model->ones, points);
  if (b->baseline_samples)
    model->inputs[at++] = tensor("baseline", model->baseline, 3 * (size_t)b->channel_count);
  model->inputs[at++] = tensor("state", model->state, (size_t)b->step_state);
  at = add_scales(model, at);
  int given = add_answers(model);
  model->given[given++] = tensor("next_state", model->next_state, (size_t)b->step_state);
  return run(model, ow_graph(b, ONWRIST_STEP_GRAPH, -1), b->step_samples, at, given, error);
}

/* ---- The prediction ---- */

const onwrist_prediction *ow_predicted(onwrist_model *model, bool ran, bool imputed,
                                       double start) {
  const onwrist_bundle *b = model->bundle;
  ow_situation *situation = &model->situation;
  onwrist_prediction *made = &model->prediction;
  for (int c = 0; c < b->channel_count; c++) {
    /* What is not believed counts as if it were not observed. */
    bool believed = situation->left_out[b->channels[c].sensor_index][0] == 0;
    model->usable[c] = believed ? situation->coverage[c] : 0;
    for (int k = 0; ran && imputed && k < b->samples; k++) {
      size_t at = (size_t)c * (size_t)b->samples + (size_t)k;
      model->believed[at] = believed && model->observed[at];
      if (model->believed[at]) model->imputed[at] = model->values[at];
    }
  }
  for (int t = 0; t < b->task_count; t++)
    ow_decide(b, t, ran ? model->outputs[t] : NULL, model->usable, situation,
              model->task_reasons[t], model->task_reason_sizes[t], &model->results[t]);
  for (int s = 0; s < b->sensor_count; s++)
    ow_tell_sensor(b, s, ran ? model->weights : NULL, situation, model->sensor_reasons[s],
                   OW_REASON, &model->sensors[s]);
  made->bundle = b;
  made->tasks = model->results;
  made->coverage = situation->coverage;
  made->sensors = model->sensors;
  made->embedding = ran ? model->embedding : NULL;
  made->start = start;
  made->end = start + b->samples / b->rate;
  made->imputed = ran && imputed ? model->imputed : NULL;
  made->believed = ran && imputed ? model->believed : NULL;
  return made;
}
