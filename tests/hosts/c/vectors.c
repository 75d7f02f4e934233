/* Cases of the shared vectors in, what the C host gives out: words on stdin, a JSON value for
   each case on stdout. c_host.py writes the words.

   Streams run on an engine of stand-in graphs, as the vectors describe them, which tells what
   it was given. The stream's own file is part of this one, to see which step it is at. */
#include "onwrist_stream.c"
#include "words.h"

#include <stdarg.h>

/* ---- A bundle ---- */

static onwrist_need *needs(int *count) {
  *count = whole();
  onwrist_need *made = some((size_t)*count, sizeof *made);
  for (int k = 0; k < *count; k++) {
    made[k].channel = whole();
    made[k].least = number();
  }
  return made;
}

static onwrist_task *tasks(int count) {
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

static onwrist_plausible *plausible(int count) {
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

static onwrist_graph *graphs(const onwrist_bundle *b, int *count) {
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

static onwrist_bundle *bundle(void) {
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

static void tell_result(const onwrist_result *result) {
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

/* ---- Streams ---- */

typedef struct {
  const char *name;
  int count;
  float *numbers;
} output;

/* What the stand-in graphs know, and what they were given. */
static struct {
  onwrist_stream *stream;
  output *outputs;
  int output_count;
  bool told;     /* whether anything came due in this action */
  bool open;     /* whether a step waits for its prediction */
  char inputs[1 << 20];
  size_t used;   /* of `inputs`; 0 where no graph ran */
  double *coverage;
} seen;

static struct place {
  int row;
  ow_index point;
  double value;
} *grid;
static size_t grid_count, grid_room;

static void keep(ow_index first, const float *values, const uint8_t *observed,
                 const float *marks, int points) {
  for (int c = 0; c < seen.stream->model->bundle->channel_count; c++) {
    for (int k = 0; k < points; k++) {
      size_t at = (size_t)c * (size_t)points + (size_t)k;
      bool there = observed ? observed[at] != 0 : marks[at] > 0;
      if (!there && values[at] != 0) exit(4);
      if (!there) continue;
      if (grid_count == grid_room) {
        grid_room = grid_room ? 2 * grid_room : 1 << 16;
        grid = realloc(grid, grid_room * sizeof *grid);
        if (!grid) exit(3);
      }
      grid[grid_count].row = c;
      grid[grid_count].point = first + k;
      grid[grid_count++].value = values[at];
    }
  }
}

static void note(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  seen.used += (size_t)vsnprintf(seen.inputs + seen.used, sizeof seen.inputs - seen.used, format,
                                 arguments);
  va_end(arguments);
}

/* A list of numbers, in rows of `width` if that is not 0. */
static void note_list(const char *name, const onwrist_tensor *tensor, size_t width) {
  note("%s\"%s\":[", seen.used > 1 ? "," : "", name);
  for (size_t k = 0; k < tensor->count; k++) {
    bool begins = width && k % width == 0, ends = width && k % width == width - 1;
    note("%s%s%.9g%s", k ? "," : "", begins ? "[" : "", (double)tensor->data[k], ends ? "]" : "");
  }
  note("]");
}

static void note_inputs(const onwrist_tensor *inputs, int count) {
  bool scaled = false;
  seen.used = 0;
  note("{");
  for (int k = 0; k < count; k++) {
    const onwrist_tensor *one = &inputs[k];
    size_t length = strlen(one->name);
    if (!strcmp(one->name, "baseline")) note_list(one->name, one, 3);
    else if (!strcmp(one->name, "state") || !strcmp(one->name, "slots")) note_list(one->name, one, 0);
    else if (!strcmp(one->name, "tokens")) note_list(one->name, one, 2);
    else if (!strcmp(one->name, "clock")) note(",\"clock\":%.9g", (double)*one->data);
    else if (length > 6 && !strcmp(one->name + length - 6, "_scale")) {
      note("%s\"%s\":%.9g", scaled ? "," : seen.used > 1 ? ",\"scales\":{" : "\"scales\":{",
           one->name, (double)*one->data);
      scaled = true;
    }
  }
  note(scaled ? "}}" : "}");
}

static void begin_due(ow_index first) {
  if (seen.open) printf("}");
  printf("%s{\"first\":%lld,\"inputs\":%s", seen.told ? "," : "", (long long)first,
         seen.used ? seen.inputs : "null");
  seen.told = true;
  seen.open = true;
  seen.used = 0;
}

static onwrist_status opened(const onwrist_graph *graph, const void *model, size_t bytes,
                             void **handle, onwrist_error *error) {
  (void)model;
  (void)bytes;
  (void)error;
  *handle = (void *)graph;
  return ONWRIST_OK;
}

static void embed(const onwrist_tensor *inputs, const onwrist_tensor *given) {
  const onwrist_bundle *b = seen.stream->model->bundle;
  size_t points = inputs[0].count / (size_t)b->channel_count, patch = (size_t)b->patch;
  for (size_t p = 0; p < points / patch; p++) {
    float count = 0;
    for (int c = 0; c < b->channel_count; c++)
      for (size_t k = 0; k < patch; k++)
        count += inputs[1].data[(size_t)c * points + p * patch + k];
    for (int g = 0; g < b->group_count; g++) {
      given->data[2 * (p * (size_t)b->group_count + (size_t)g)] = count;
      given->data[2 * (p * (size_t)b->group_count + (size_t)g) + 1] = (float)g;
    }
  }
}

static onwrist_status ran(void *handle, int size, const onwrist_tensor *inputs, int input_count,
                          const onwrist_tensor *given, int given_count, onwrist_error *error) {
  const onwrist_graph *graph = handle;
  const onwrist_stream *stream = seen.stream;
  (void)size;
  (void)error;
  if (graph->role == ONWRIST_EMBED_GRAPH) {
    embed(inputs, given);
    return ONWRIST_OK;
  }
  note_inputs(inputs, input_count);
  for (int k = 0; k < given_count; k++) {
    for (int o = 0; o < seen.output_count; o++)
      if (!strcmp(seen.outputs[o].name, given[k].name))
        memcpy(given[k].data, seen.outputs[o].numbers, given[k].count * sizeof(float));
    for (int i = 0; i < input_count; i++) {
      bool next = !strcmp(given[k].name, "next_state") && !strcmp(inputs[i].name, "state");
      bool same = !strcmp(given[k].name, "encoded") && !strcmp(inputs[i].name, "tokens");
      for (size_t n = 0; (next || same) && n < given[k].count; n++)
        given[k].data[n] = inputs[i].data[n] + (next ? 1 : 0);
    }
  }
  if (graph->role == ONWRIST_STEP_GRAPH) {
    ow_index first = stream->timeline.origin + stream->done;
    keep(first, inputs[0].data, NULL, inputs[1].data, stream->step);
    begin_due(first);
  }
  return ONWRIST_OK;
}

static void closed(void *handle) { (void)handle; }

static void received(void *context, const onwrist_prediction *given) {
  const onwrist_bundle *b = given->bundle;
  const onwrist_model *model = seen.stream->model;
  (void)context;
  if (!seen.stream->step) {
    double zero = b->patch ? seen.stream->timeline.minutes.zero : 0;
    ow_index first = (ow_index)rint((given->start - zero) * b->rate);
    keep(first, model->values, model->observed, NULL, b->samples);
    begin_due(first);
  }
  memcpy(seen.coverage, given->coverage, (size_t)b->channel_count * sizeof(double));
  printf(",\"prediction\":{\"start\":%.17g,\"end\":%.17g,\"coverage\":", given->start, given->end);
  TELL_ALL(given->coverage, b->channel_count, tell);
  if (b->task_count) {
    printf(",\"tasks\":{");
    for (int t = 0; t < b->task_count; t++) {
      printf("%s\"%s\":", t ? "," : "", b->tasks[t].name);
      tell_result(&given->tasks[t]);
    }
    printf("},\"sensors\":{");
    for (int s = 0; s < b->sensor_count; s++) {
      const onwrist_sensor *one = &given->sensors[s];
      printf("%s\"%s\":{\"coverage\":%.17g,\"used\":%s,\"reason\":", s ? "," : "", one->name,
             one->coverage, one->used ? "true" : "false");
      tell_text(one->reason);
      printf("}");
    }
    printf("}");
  }
  printf("}");
}

static onwrist_status act(onwrist_stream *stream, onwrist_error *error) {
  switch (*next()) {
    case 'R':
      onwrist_reset(stream);
      memset(seen.coverage, 0,
             (size_t)stream->model->bundle->channel_count * sizeof *seen.coverage);
      return ONWRIST_OK;
    case 'F': return onwrist_flush(stream, whole() != 0, received, NULL, error);
    default: break;
  }
  char *name = text();
  size_t width = (size_t)whole(), count = (size_t)whole();
  double *times = doubles(count);
  float *samples = floats(count * width);
  onwrist_status status = onwrist_push(stream, name, times, samples, count, received, NULL, error);
  free(name);
  free(times);
  free(samples);
  return status;
}

static int by_place(const void *a, const void *b) {
  size_t x = *(const size_t *)a, y = *(const size_t *)b;
  if (grid[x].row != grid[y].row) return grid[x].row < grid[y].row ? -1 : 1;
  return (grid[x].point > grid[y].point) - (grid[x].point < grid[y].point);
}

static void tell_grid(void) {
  size_t *order = some(grid_count, sizeof *order), before = 0;
  bool open = false;
  for (size_t k = 0; k < grid_count; k++) order[k] = k;
  qsort(order, grid_count, sizeof *order, by_place);
  printf("[");
  for (size_t k = 0; k < grid_count; k++) {
    size_t at = order[k];
    bool follows = open && grid[at].row == grid[before].row;
    /* What windows share must be the same to the bit. */
    if (follows && grid[at].point == grid[before].point) {
      if (grid[at].value != grid[before].value) exit(5);
      continue;
    }
    follows = follows && grid[at].point == grid[before].point + 1;
    if (follows) printf(",");
    else printf("%s{\"row\":%d,\"first\":%lld,\"values\":[", open ? "]}," : "", grid[at].row,
                (long long)grid[at].point);
    tell(grid[at].value);
    open = true;
    before = at;
  }
  printf(open ? "]}]" : "]");
  free(order);
}

static void stream(void) {
  static const onwrist_engine ENGINE = {"stand-in", opened, ran, closed, false};
  static const onwrist_file FILES[] = {{"graph", "", 0}};
  onwrist_bundle *b = bundle();
  onwrist_stream_options options = onwrist_stream_defaults();
  onwrist_model *model = NULL;
  onwrist_error error = {""};
  options.hop = number();
  options.lateness = number();
  options.mode = whole() ? ONWRIST_MODE_STEP : ONWRIST_MODE_WINDOW;
  options.midnight = number();
  options.rates = doubles((size_t)b->channel_count);
  memset(&seen, 0, sizeof seen);
  grid_count = 0;
  seen.output_count = whole();
  seen.outputs = some((size_t)seen.output_count, sizeof *seen.outputs);
  seen.coverage = some((size_t)b->channel_count, sizeof *seen.coverage);
  for (int o = 0; o < seen.output_count; o++) {
    seen.outputs[o].name = text();
    seen.outputs[o].count = whole();
    seen.outputs[o].numbers = floats((size_t)seen.outputs[o].count);
  }
  if (onwrist_open_files(b, &ENGINE, FILES, 1, &model, &error) ||
      onwrist_stream_create(model, &options, &seen.stream, &error)) {
    fprintf(stderr, "%s\n", error.text);
    exit(2);
  }
  int actions = whole();
  printf("{\"after\":[");
  for (int a = 0; a < actions; a++) {
    printf("%s{\"due\":[", a ? "," : "");
    seen.told = seen.open = false;
    seen.used = 0;
    onwrist_status status = act(seen.stream, &error);
    if (seen.open) printf("}");
    printf("],\"refused\":%s}", status == ONWRIST_INPUT ? "true" : "false");
    if (status && status != ONWRIST_INPUT) exit(6);
  }
  printf("],\"grid\":");
  tell_grid();
  printf(",\"counters\":[");
  for (int c = 0; c < b->channel_count; c++) {
    onwrist_counters n = onwrist_counters_of(seen.stream, c);
    printf("%s[%zu,%zu,%zu,%zu]", c ? "," : "", n.samples, n.late, n.duplicate, n.repaired);
  }
  printf("],\"staleness\":[");
  for (int c = 0; c < b->channel_count; c++) {
    if (c) printf(",");
    tell(onwrist_staleness(seen.stream, c));
  }
  printf("],\"latency\":");
  tell(onwrist_latency(seen.stream));
  printf(",\"coverage\":");
  TELL_ALL(seen.coverage, b->channel_count, tell);
  printf("}\n");
  onwrist_stream_free(seen.stream);
  onwrist_close(model);
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
      case 'T': stream(); break;
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
