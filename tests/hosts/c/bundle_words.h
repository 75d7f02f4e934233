/* What of a manifest the host asks for, from words to an onwrist_bundle; c_words.py writes it. */
#ifndef BUNDLE_WORDS_H
#define BUNDLE_WORDS_H

#include "onwrist.h"
#include "words.h"

static inline onwrist_need *needs(int *count) {
  *count = whole();
  onwrist_need *made = some((size_t)*count, sizeof *made);
  for (int k = 0; k < *count; k++) {
    made[k].channel = whole();
    made[k].least = number();
  }
  return made;
}

static inline onwrist_task *tasks(int count) {
  onwrist_task *made = some((size_t)count, sizeof *made);
  for (int t = 0; t < count; t++) {
    made[t].name = text();
    made[t].unit = text();
    made[t].label_count = whole();
    const char **labels = some((size_t)made[t].label_count, sizeof *labels);
    for (int k = 0; k < made[t].label_count; k++) labels[k] = text();
    made[t].labels = labels;
    made[t].required = needs(&made[t].required_count);
    made[t].any_of = needs(&made[t].any_of_count);
    made[t].minimum_confidence = number();
  }
  return made;
}

static inline onwrist_plausible *plausible(int count) {
  onwrist_plausible *made = some((size_t)count, sizeof *made);
  for (int k = 0; k < count; k++) {
    onwrist_plausible *p = &made[k];
    p->sensor = whole();
    for (int a = 0; a < 6; a++) p->rows[a] = whole();
    double *ranges[] = {p->gravity, p->rest, p->turns, p->turns_per_g};
    for (int r = 0; r < 4; r++)
      for (int side = 0; side < 2; side++) ranges[r][side] = number();
    p->run = number();
    p->rails[0] = number();
    p->rails[1] = number();
    if (whole()) {
      p->mean = floats(9);
      p->whitening = floats(45);
    }
    p->turned = number();
    p->exchanged = doubles((size_t)count);
  }
  return made;
}

static const char *const NOTHING =
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

static inline onwrist_graph *graphs(const onwrist_bundle *b, int *count) {
  static const int SIZES[] = {0};
  onwrist_graph *made = some(3, sizeof *made);
  onwrist_graph any = {"graph", 0, NOTHING, ONWRIST_WINDOW_GRAPH, -1, SIZES, 1};
  *count = 0;
  if (b->patch) {
    made[(*count)] = any;
    made[(*count)++].role = ONWRIST_EMBED_GRAPH;
    made[(*count)] = any;
    made[(*count)++].role = ONWRIST_ENCODE_GRAPH;
    return made;
  }
  made[(*count)++] = any;
  if (b->step_samples) {
    made[(*count)] = any;
    made[(*count)++].role = ONWRIST_STEP_GRAPH;
  }
  return made;
}

static inline onwrist_bundle *bundle(void) {
  onwrist_bundle *b = some(1, sizeof *b);
  b->name = "vectors";
  b->version = "1";
  b->rate = number();
  b->samples = whole();
  b->sensor_count = whole();
  const char **sensors = some((size_t)b->sensor_count, sizeof *sensors);
  for (int s = 0; s < b->sensor_count; s++) sensors[s] = text();
  b->sensors = sensors;
  b->channel_count = whole();
  onwrist_channel *channels = some((size_t)b->channel_count, sizeof *channels);
  for (int c = 0; c < b->channel_count; c++) {
    channels[c].name = text();
    channels[c].sensor_index = whole();
    channels[c].sensor = b->sensor_count ? sensors[channels[c].sensor_index] : "";
    channels[c].rate = number();
    channels[c].aggregation = (onwrist_aggregation)whole();
  }
  b->channels = channels;
  b->embedding = whole();
  b->task_count = whole();
  b->tasks = tasks(b->task_count);
  b->baseline_seconds = number();
  b->baseline_samples = whole();
  b->step_samples = whole();
  b->step_state = whole();
  b->patch = whole();
  b->token_width = whole();
  b->group_count = whole();
  onwrist_group *groups = some((size_t)b->group_count, sizeof *groups);
  for (int g = 0; g < b->group_count; g++) {
    groups[g].name = "group";
    groups[g].channel_count = whole();
    groups[g].channels = integers((size_t)groups[g].channel_count);
    groups[g].least = whole();
  }
  b->groups = groups;
  b->token_size_count = whole();
  b->token_sizes = integers((size_t)b->token_size_count);
  b->interpolated = -1;
  b->least = number();
  b->pattern_count = whole();
  onwrist_pattern *patterns = some((size_t)b->pattern_count, sizeof *patterns);
  for (int p = 0; p < b->pattern_count; p++) {
    uint8_t *live = some((size_t)b->sensor_count, 1);
    for (int s = 0; s < b->sensor_count; s++) live[s] = (uint8_t)whole();
    patterns[p].sensors = live;
    patterns[p].temperatures = doubles((size_t)b->task_count);
    patterns[p].minimum_confidence = doubles((size_t)b->task_count);
  }
  b->patterns = patterns;
  b->plausible_count = whole();
  b->plausible = plausible(b->plausible_count);
  b->graphs = graphs(b, &b->graph_count);
  return b;
}

static inline void tell_result(const onwrist_result *result) {
  printf("{\"abstained\":");
  tell_bool(result->abstained);
  printf(",\"value\":");
  tell(result->value);
  printf(",\"label\":");
  tell_text(result->label);
  printf(",\"reason\":");
  tell_text(result->reason);
  printf("}");
}

#endif
