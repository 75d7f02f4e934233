/* A live stream: bursts of samples in as they arrive, predictions out as they come due.

   The grid of the last window is kept with room for what comes due next: whole windows, steps,
   or the patches of a day, each of which is embedded once. What was done is a function of which
   grid points are final, however many became so at once; where the engine fails, nothing is
   moved on, and the next call tries again. */
#include "onwrist_internal.h"

#include <stdlib.h>
#include <string.h>

#define PIECE 16384 /* samples that are taken at a time */

struct onwrist_stream {
  onwrist_model *model;
  ow_memory memory;
  ow_timeline timeline;
  int hop, step, history, columns; /* grid points; step is 0 in window mode */
  bool impute;
  /* Rows of `columns` grid points: `history` and a window up to `done`, then what is new. */
  float *values;
  uint8_t *observed;
  float *tokens; /* days: of the last day, then of one patch */
  float *state;
  ow_baseline baseline;
  double *remembered, *usual;
  ow_index done; /* grid points that were gone through, from the origin on */
  double end;    /* of the last prediction */
};

/* ---- Beginning ---- */

static bool make_buffers(onwrist_stream *stream) {
  const onwrist_bundle *b = stream->model->bundle;
  size_t channels = (size_t)b->channel_count;
  int fresh = b->patch ? b->patch : stream->step ? stream->step : b->samples;
  stream->history = b->baseline_samples;
  stream->columns = stream->history + b->samples + fresh;
  ow_memory *memory = &stream->memory;
  stream->values = ow_alloc(memory, channels * (size_t)stream->columns, sizeof(float));
  stream->observed = ow_alloc(memory, channels * (size_t)stream->columns, 1);
  bool made = stream->values && stream->observed;
  if (b->patch) {
    size_t tokens = (size_t)(stream->model->tokens + b->group_count);
    stream->tokens = ow_alloc(memory, tokens * (size_t)b->token_width, sizeof(float));
    made = made && stream->tokens;
  }
  if (stream->step) {
    stream->state = ow_alloc(memory, (size_t)b->step_state, sizeof(float));
    made = made && stream->state;
  }
  if (b->baseline_samples) {
    size_t sums = 3 * channels;
    stream->baseline.channels = b->channel_count;
    stream->baseline.samples = b->baseline_samples;
    stream->baseline.kept = exp(-b->baseline_samples / b->rate / b->baseline_seconds);
    stream->baseline.least = 10.0 * b->rate; /* as long a time as tells a mean: a window's */
    stream->baseline.state =
        ow_alloc(memory, sums + (size_t)b->baseline_samples, sizeof(double));
    stream->remembered = ow_alloc(memory, sums, sizeof(double));
    stream->usual = ow_alloc(memory, 2 * channels, sizeof(double));
    made = made && stream->baseline.state && stream->remembered && stream->usual;
  }
  return made;
}

onwrist_status onwrist_stream_create(onwrist_model *model, const onwrist_stream_options *options,
                                     onwrist_stream **created, onwrist_error *error) {
  if (!model || !created) return ow_no_model(error);
  const onwrist_bundle *b = model->bundle;
  onwrist_stream_options usual = onwrist_stream_defaults();
  bool steps = false;
  *created = NULL;
  if (!options) options = &usual;
  onwrist_stream *stream = calloc(1, sizeof *stream);
  double *rates = stream ? ow_alloc(&stream->memory, (size_t)b->channel_count, sizeof *rates)
                         : NULL;
  onwrist_status status = ONWRIST_OK;
  if (!rates) status = ow_fail(error, ONWRIST_MEMORY, "not enough memory for a stream");
  if (!status) status = ow_settle(b, options, rates, &steps, &stream->hop, error);
  if (!status) {
    stream->model = model;
    stream->memory.bytes += sizeof *stream;
    stream->step = steps ? b->step_samples : 0;
    stream->impute = options->impute;
    if (!make_buffers(stream))
      status = ow_fail(error, ONWRIST_MEMORY, "not enough memory for a stream");
  }
  if (!status)
    status = ow_timeline_make(&stream->timeline, b, &stream->memory, rates, options->lateness,
                              options->midnight, stream->hop, error);
  if (status) {
    onwrist_stream_free(stream);
    return status;
  }
  onwrist_reset(stream);
  *created = stream;
  return ONWRIST_OK;
}

void onwrist_stream_free(onwrist_stream *stream) {
  if (!stream) return;
  ow_free_all(&stream->memory);
  free(stream);
}

void onwrist_reset(onwrist_stream *stream) {
  const onwrist_bundle *b = stream->model->bundle;
  size_t channels = (size_t)b->channel_count, points = channels * (size_t)stream->columns;
  ow_timeline_reset(&stream->timeline);
  memset(stream->values, 0, points * sizeof(float));
  memset(stream->observed, 0, points);
  if (stream->tokens)
    memset(stream->tokens, 0, (size_t)stream->model->tokens * (size_t)b->token_width *
                                  sizeof(float));
  if (stream->state) memset(stream->state, 0, (size_t)b->step_state * sizeof(float));
  if (stream->baseline.state)
    memset(stream->baseline.state, 0, 3 * channels * sizeof(double));
  stream->done = 0;
  stream->end = NAN;
}

/* ---- Going on ---- */

/* The end of the next step, patch or window, or of as much as there is room for. */
static ow_index next_due(const onwrist_stream *stream) {
  const onwrist_bundle *b = stream->model->bundle;
  if (b->patch) return stream->done + b->patch;
  if (stream->step) return stream->done + stream->step;
  ow_index past = stream->done - b->samples; /* the end of the first window */
  ow_index to_next = past < 0 ? -past : stream->hop - past % stream->hop;
  return stream->done + (to_next < b->samples ? to_next : b->samples);
}

/* Take the blocks of the baseline that end in what is new. */
static void update_baseline(onwrist_stream *stream, ow_index due) {
  const onwrist_bundle *b = stream->model->bundle;
  ow_index block = b->baseline_samples;
  for (ow_index end = (stream->done / block + 1) * block; end <= due; end += block) {
    ow_index column = stream->history + b->samples + (end - block - stream->done);
    ow_baseline_update(&stream->baseline, stream->values + column, stream->observed + column,
                       (size_t)stream->columns);
  }
  ow_baseline_usual(&stream->baseline, stream->usual);
  ow_baseline_input(stream->usual, b->channel_count, stream->model->baseline);
}

/* Keep what the next call needs: `fresh` grid points move out in front. */
static void move_on(onwrist_stream *stream, int fresh) {
  const onwrist_bundle *b = stream->model->bundle;
  size_t keep = (size_t)(stream->columns - fresh);
  for (int c = 0; c < b->channel_count; c++) {
    float *row = stream->values + (size_t)c * (size_t)stream->columns;
    uint8_t *seen = stream->observed + (size_t)c * (size_t)stream->columns;
    memmove(row, row + fresh, keep * sizeof *row);
    memmove(seen, seen + fresh, keep);
  }
  if (stream->tokens) {
    size_t width = (size_t)b->token_width, all = (size_t)stream->model->tokens;
    memmove(stream->tokens, stream->tokens + (size_t)b->group_count * width,
            all * width * sizeof(float));
  }
  stream->done += fresh;
}

static onwrist_status take_window(onwrist_stream *stream, int fresh, bool gives, bool *ran,
                                  onwrist_error *error) {
  onwrist_model *model = stream->model;
  const onwrist_bundle *b = model->bundle;
  size_t column = (size_t)(stream->history + fresh);
  if (!stream->step && !gives) return ONWRIST_OK;
  ow_load(model, stream->values + column, stream->observed + column, (size_t)stream->columns);
  ow_look(model, true);
  if (!stream->step) return ow_run_window(model, stream->impute, 0, ran, error);
  size_t step = (size_t)stream->step, samples = (size_t)b->samples;
  for (int c = 0; c < b->channel_count; c++) {
    size_t from = (size_t)(c + 1) * samples - step;
    memmove(model->values + (size_t)c * step, model->values + from, step * sizeof(float));
    memmove(model->ones + (size_t)c * step, model->ones + from, step * sizeof(float));
  }
  memcpy(model->state, stream->state, (size_t)b->step_state * sizeof(float));
  onwrist_status status = ow_run_step(model, error);
  if (!status) memcpy(stream->state, model->next_state, (size_t)b->step_state * sizeof(float));
  for (int c = 0; c < b->channel_count; c++) *ran = *ran || model->counts[c] > 0;
  return status;
}

static onwrist_status take_patch(onwrist_stream *stream, ow_index first, bool gives, bool *ran,
                                 onwrist_error *error) {
  onwrist_model *model = stream->model;
  const onwrist_bundle *b = model->bundle;
  size_t width = (size_t)b->token_width, groups = (size_t)b->group_count;
  float *fresh = stream->tokens + (size_t)model->tokens * width;
  const float *values = stream->values + stream->history + b->samples;
  const uint8_t *observed = stream->observed + stream->history + b->samples;
  onwrist_status status = ONWRIST_OK;
  memset(fresh, 0, groups * width * sizeof(float));
  if (ow_present(b, observed, (size_t)stream->columns, 1, model->present)) {
    for (int c = 0; c < b->channel_count; c++) {
      for (int k = 0; k < b->patch; k++) {
        size_t from = (size_t)c * (size_t)stream->columns + (size_t)k;
        model->values[c * b->patch + k] = values[from];
        model->ones[c * b->patch + k] = observed[from];
      }
    }
    status = ow_embed(model, b->patch, fresh, error);
  }
  if (status || !gives) return status;
  size_t column = (size_t)(stream->history + b->patch);
  ow_load(model, stream->values + column, stream->observed + column, (size_t)stream->columns);
  ow_look(model, true);
  int there = ow_present(b, model->observed, (size_t)b->samples, model->patches, model->present);
  if (!there) return ONWRIST_OK;
  *ran = true;
  int clock = (int)ow_modulo(ow_floor_div(first, b->patch), model->patches);
  return ow_answer_day(model, stream->tokens + groups * width, there, clock, stream->impute,
                       error);
}

/* Take what is new up to `due`, and predict if a window ends there. */
static onwrist_status take(onwrist_stream *stream, ow_index due, onwrist_receive receive,
                           void *context, onwrist_error *error) {
  onwrist_model *model = stream->model;
  const onwrist_bundle *b = model->bundle;
  ow_timeline *timeline = &stream->timeline;
  int fresh = (int)(due - stream->done);
  size_t column = (size_t)(stream->history + b->samples);
  if (!ow_timeline_resample(timeline, timeline->origin + stream->done, fresh,
                            stream->values + column, stream->observed + column,
                            (size_t)stream->columns))
    return ow_fail(error, ONWRIST_MEMORY, "not enough memory for what was pushed");
  ow_index past = due - b->samples, first = timeline->origin + past;
  bool gives = b->patch ? due % stream->hop == 0 : past >= 0 && past % stream->hop == 0;
  bool ran = false;
  onwrist_status status;
  double *sums = stream->baseline.state;
  size_t size = 3 * (size_t)b->channel_count * sizeof(double);
  if (sums) {
    memcpy(stream->remembered, sums, size);
    update_baseline(stream, due);
  }
  if (b->patch) status = take_patch(stream, first, gives, &ran, error);
  else status = take_window(stream, fresh, gives, &ran, error);
  if (status) {
    if (sums) memcpy(sums, stream->remembered, size);
    return status;
  }
  move_on(stream, fresh);
  if (!gives) return ONWRIST_OK;
  double start = b->patch ? ow_minutes_start(&timeline->minutes, first) : (double)first / b->rate;
  const onwrist_prediction *made = ow_predicted(model, ran, stream->impute, start);
  stream->end = made->end;
  if (receive) receive(context, made);
  return ONWRIST_OK;
}

static onwrist_status advance(onwrist_stream *stream, onwrist_receive receive, void *context,
                              onwrist_error *error) {
  ow_timeline *timeline = &stream->timeline;
  if (!timeline->has_origin) return ONWRIST_OK;
  ow_index before = stream->done, due, available = ow_timeline_final(timeline) - timeline->origin;
  onwrist_status status = ONWRIST_OK;
  while (!status && (due = next_due(stream)) <= available)
    status = take(stream, due, receive, context, error);
  if (stream->done > before && !ow_timeline_forget(timeline, timeline->origin + stream->done) &&
      !status)
    status = ow_fail(error, ONWRIST_MEMORY, "not enough memory for what was pushed");
  return status;
}

/* ---- What goes in ---- */

/* What a name means: a sensor, and one of its axes or -1 for all. */
static ow_sensor *target(onwrist_stream *stream, const char *name, int *axis) {
  const onwrist_bundle *b = stream->model->bundle;
  *axis = -1;
  for (int c = 0; name && c < b->channel_count; c++) {
    if (strcmp(b->channels[c].name, name)) continue;
    ow_sensor *sensor = &stream->timeline.sensors[b->channels[c].sensor_index];
    for (int r = 0; r < sensor->row_count && sensor->row_count > 1; r++)
      if (sensor->rows[r] == c) *axis = r;
    return sensor;
  }
  for (int s = 0; name && s < b->sensor_count; s++)
    if (!strcmp(b->sensors[s], name)) return &stream->timeline.sensors[s];
  return NULL;
}

onwrist_status onwrist_push(onwrist_stream *stream, const char *name, const double *times,
                            const float *samples, size_t count, onwrist_receive receive,
                            void *context, onwrist_error *error) {
  if (!stream) return ow_no_model(error);
  const onwrist_bundle *b = stream->model->bundle;
  if (stream->timeline.finished)
    return ow_fail(error, ONWRIST_INPUT, "this stream was flushed; reset begins anew");
  int axis;
  ow_sensor *sensor = target(stream, name, &axis);
  if (!sensor)
    return ow_fail(error, ONWRIST_INPUT,
                   "there is no channel or sensor '%s'; %s knows %d channels, the first is '%s'",
                   name ? name : "", b->name, b->channel_count, b->channels[0].name);
  if (count && (!times || !samples))
    return ow_fail(error, ONWRIST_INPUT, "'%s': every sample needs one time stamp", name);
  int width = axis < 0 ? sensor->row_count : 1;
  onwrist_status status = ow_timeline_check(&stream->timeline, sensor, name, times, samples,
                                            width, count, error);
  if (!count && !status) status = advance(stream, receive, context, error);
  for (size_t begin = 0; begin < count && !status; begin += PIECE) {
    size_t some = count - begin < PIECE ? count - begin : PIECE;
    if (!ow_timeline_take(&stream->timeline, sensor, axis, times + begin,
                          samples + begin * (size_t)width, width, some))
      return ow_fail(error, ONWRIST_MEMORY, "not enough memory for what was pushed");
    ow_timeline_settle(&stream->timeline);
    status = advance(stream, receive, context, error);
  }
  return status;
}

onwrist_status onwrist_flush(onwrist_stream *stream, bool at_least_one, onwrist_receive receive,
                             void *context, onwrist_error *error) {
  if (!stream) return ow_no_model(error);
  const onwrist_bundle *b = stream->model->bundle;
  int least = b->patch ? stream->hop : b->samples;
  ow_timeline_finish(&stream->timeline, at_least_one ? least : 0);
  onwrist_status status = advance(stream, receive, context, error);
  if (!status && !ow_timeline_count_rest(&stream->timeline))
    status = ow_fail(error, ONWRIST_MEMORY, "not enough memory for what was pushed");
  return status;
}

/* ---- What is going on ---- */

onwrist_counters onwrist_counters_of(const onwrist_stream *stream, int channel) {
  return stream->timeline.tallies[channel].counters;
}

double onwrist_staleness(const onwrist_stream *stream, int channel) {
  return stream->timeline.newest - stream->timeline.tallies[channel].last;
}

double onwrist_latency(const onwrist_stream *stream) {
  return stream->timeline.newest - stream->end;
}

double onwrist_hop(const onwrist_stream *stream) {
  return stream->hop / stream->model->bundle->rate;
}

bool onwrist_steps(const onwrist_stream *stream) { return stream->step > 0; }

void onwrist_baseline(const onwrist_stream *stream, double *usual) {
  if (stream->baseline.state) {
    ow_baseline_usual(&stream->baseline, usual);
    return;
  }
  for (int k = 0; k < 2 * stream->model->bundle->channel_count; k++) usual[k] = NAN;
}

void onwrist_last_window(const onwrist_stream *stream, const float **values,
                         const uint8_t **observed) {
  onwrist_model *model = stream->model;
  ow_load(model, stream->values + stream->history, stream->observed + stream->history,
          (size_t)stream->columns);
  *values = model->values;
  *observed = model->observed;
}

size_t onwrist_stream_bytes(const onwrist_stream *stream) { return stream->memory.bytes; }
