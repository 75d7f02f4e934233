/* A stream of the shared vectors in, what its graphs are fed and what it tells out, as JSON.

   It runs on an engine of stand-in graphs, as the vectors describe them, which tells what it was
   given. The stream's own file is part of this one, to see which step it is at. */
#include "onwrist_stream.c"

#include "bundle_words.h"

#include <stdarg.h>

void stream_case(void);

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

void stream_case(void) {
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
