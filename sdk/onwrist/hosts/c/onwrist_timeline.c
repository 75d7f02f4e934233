/* Samples of all sensors in as they arrive, grid blocks that will never change out.

   - newest: the newest stamp of all sensors. A sample that is older than the newest stamp before
     it, or its own, by more than the lateness is late: counted and dropped.
   - origin: the first grid point at or after the earliest sample, once no earlier one can be
     accepted; of minutes the last multiple of the hop, from midnight, at or before it.
   - final: a grid point is final when all stamps that can reach it lie below newest - lateness,
     whatever channels really send: a minute when that has reached its end.

   HOST.md has the rules. Samples are kept from what is still needed on: memory grows with the
   rate that arrives, up to the limit of a sensor, and never with time. */
#include "onwrist_internal.h"

#include <string.h>

#define PIECE 16384    /* samples that are taken as one */
#define DENSEST 1000.0 /* Hz: any sensor may be so fast, or four times what is stated of it */

onwrist_status ow_timeline_make(ow_timeline *timeline, const onwrist_bundle *bundle,
                                ow_memory *memory, const double *rates, double lateness,
                                double midnight, int hop, onwrist_error *error) {
  memset(timeline, 0, sizeof *timeline);
  timeline->bundle = bundle;
  timeline->memory = memory;
  timeline->lateness = lateness;
  timeline->days = bundle->patch > 0;
  timeline->minutes.period = rint(1 / bundle->rate);
  timeline->minutes.zero = midnight;
  timeline->whole = hop;
  timeline->sensor_count = bundle->sensor_count;
  timeline->sensors = ow_alloc(memory, (size_t)bundle->sensor_count, sizeof(ow_sensor));
  timeline->tallies = ow_alloc(memory, (size_t)bundle->channel_count, sizeof(ow_tally));
  if (!timeline->sensors || !timeline->tallies)
    return ow_fail(error, ONWRIST_MEMORY, "not enough memory for a stream");
  /* A sample waits for the newest one, and for the next window's end, or a patch's. */
  int until = timeline->days ? bundle->patch : bundle->samples;
  double wait = lateness + 2 * until / bundle->rate;
  for (int s = 0; s < bundle->sensor_count; s++) {
    ow_sensor *sensor = &timeline->sensors[s];
    for (int c = 0; c < bundle->channel_count; c++)
      if (bundle->channels[c].sensor_index == s) sensor->rows[sensor->row_count++] = c;
    sensor->rate = rates[sensor->rows[0]];
    sensor->minutes = timeline->days;
    if (!timeline->days) {
      /* Steps of a run are below 3 / 2 periods. */
      sensor->run = 1.5 * (OW_HISTORY + 1) / sensor->rate;
      sensor->reach = ow_reach(sensor->rate, bundle->rate);
      /* Sensors of one rate share its filter. */
      for (int k = 0; k < s && sensor->kernel.rate == 0; k++)
        if (timeline->sensors[k].rate == sensor->rate)
          sensor->kernel = timeline->sensors[k].kernel;
      if (sensor->kernel.rate == 0 &&
          !ow_kernel_make(&sensor->kernel, memory, sensor->rate, bundle->rate))
        return ow_fail(error, ONWRIST_MEMORY, "not enough memory for the filter of %s",
                       bundle->sensors[s]);
    }
    sensor->limit_seconds = wait + sensor->run + 2 * sensor->reach;
    double most = sensor->limit_seconds * fmax(DENSEST, 4 * sensor->rate);
    sensor->limit_samples = (size_t)fmin(most, 1e9) + 2 * PIECE;
    timeline->reach = fmax(timeline->reach, sensor->reach);
  }
  timeline->reach += OW_SAME_TIME;
  ow_timeline_reset(timeline);
  return ONWRIST_OK;
}

void ow_timeline_reset(ow_timeline *timeline) {
  for (int s = 0; s < timeline->sensor_count; s++) {
    timeline->sensors[s].begin = timeline->sensors[s].end = 0;
    timeline->sensors[s].last = -INFINITY;
  }
  for (int c = 0; c < timeline->bundle->channel_count; c++) {
    memset(&timeline->tallies[c], 0, sizeof(ow_tally));
    timeline->tallies[c].last = NAN;
  }
  timeline->newest = timeline->repaired_to = -INFINITY;
  timeline->has_origin = timeline->finished = false;
  timeline->origin = timeline->least = 0;
}

/* ---- What is final ---- */

void ow_timeline_finish(ow_timeline *timeline, ow_index least) {
  timeline->finished = true;
  timeline->least = least;
  ow_timeline_settle(timeline);
}

void ow_timeline_settle(ow_timeline *timeline) {
  if (timeline->has_origin) return;
  double watermark = timeline->finished ? INFINITY : timeline->newest - timeline->lateness;
  double first = INFINITY;
  for (int s = 0; s < timeline->sensor_count; s++) {
    ow_sensor *sensor = &timeline->sensors[s];
    if (sensor->end > sensor->begin) first = fmin(first, sensor->times[sensor->begin]);
  }
  if (!(first < watermark)) return;
  timeline->has_origin = true;
  if (timeline->days) {
    ow_index minute = ow_minutes_holding(&timeline->minutes, first);
    timeline->origin = ow_floor_div(minute, timeline->whole) * timeline->whole;
  } else {
    timeline->origin = (ow_index)ceil((first - OW_SAME_TIME) * timeline->bundle->rate);
  }
}

ow_index ow_timeline_final(const ow_timeline *timeline) {
  double rate = timeline->bundle->rate, settled = timeline->newest - timeline->lateness;
  if (timeline->days) {
    if (!timeline->finished) return ow_minutes_holding(&timeline->minutes, settled);
    ow_index past = ow_minutes_holding(&timeline->minutes, timeline->newest) + 1;
    return past + (timeline->least ? ow_modulo(timeline->origin - past, timeline->least) : 0);
  }
  if (timeline->finished) {
    ow_index past = (ow_index)floor((timeline->newest + OW_SAME_TIME) * rate) + 1;
    ow_index least = timeline->origin + timeline->least;
    return past > least ? past : least;
  }
  return (ow_index)ceil((settled - timeline->reach) * rate);
}

static double time_of(const ow_timeline *timeline, ow_index point) {
  if (timeline->days) return ow_minutes_start(&timeline->minutes, point);
  return (double)point / timeline->bundle->rate;
}

/* Scratch for `count` samples. */
static bool make_scratch(ow_timeline *timeline, size_t count) {
  if (count <= timeline->scratch_count) return true;
  size_t most = 64;
  while (most < count) most *= 2;
  ow_memory *memory = timeline->memory;
  timeline->scratch = ow_grow(memory, timeline->scratch, most * sizeof(double));
  timeline->row_times = ow_grow(memory, timeline->row_times, most * sizeof(double));
  timeline->row_values = ow_grow(memory, timeline->row_values, most * sizeof(float));
  bool made = timeline->scratch && timeline->row_times && timeline->row_values;
  timeline->scratch_count = made ? most : 0;
  return made;
}

/* The samples of a row that are not missing, up to `end`, into the scratch. */
static size_t compact(ow_timeline *timeline, const ow_sensor *sensor, int row, size_t end) {
  const double *times = sensor->times + sensor->begin;
  const float *values = sensor->values + (size_t)row * sensor->capacity + sensor->begin;
  size_t n = 0;
  for (size_t i = 0; i < end; i++) {
    if (isnan(values[i])) continue;
    timeline->row_times[n] = times[i];
    timeline->row_values[n++] = values[i];
  }
  return n;
}

static bool has_hole(const ow_sensor *sensor, size_t end) {
  for (int r = 0; r < sensor->row_count; r++) {
    const float *values = sensor->values + (size_t)r * sensor->capacity + sensor->begin;
    for (size_t i = 0; i < end; i++)
      if (isnan(values[i])) return true;
  }
  return false;
}

bool ow_timeline_resample(ow_timeline *timeline, ow_index first, int count, float *values,
                          uint8_t *observed, size_t stride) {
  double end = time_of(timeline, first + count);
  const onwrist_bundle *bundle = timeline->bundle;
  for (int s = 0; s < timeline->sensor_count; s++) {
    ow_sensor *sensor = &timeline->sensors[s];
    const double *times = sensor->times + sensor->begin;
    size_t held = sensor->end - sensor->begin;
    size_t n = held ? ow_search(times, held, end + sensor->reach, false) : 0;
    if (!make_scratch(timeline, n)) return false;
    bool holes = !sensor->minutes && has_hole(sensor, n);
    for (int r = 0; r < sensor->row_count; r++) {
      size_t at = (size_t)sensor->rows[r] * stride;
      const float *row = n ? sensor->values + (size_t)r * sensor->capacity + sensor->begin : NULL;
      bool consecutive = sensor->rows[sensor->row_count - 1] - sensor->rows[0] + 1 ==
                         sensor->row_count;
      if (sensor->minutes) {
        bool sums = bundle->channels[sensor->rows[r]].aggregation == ONWRIST_SUM;
        ow_aggregate(&timeline->minutes, times, row, n, sums, first, count, values + at,
                     observed + at);
      } else if (holes) {
        size_t real = compact(timeline, sensor, r, n);
        ow_resample(&sensor->kernel, timeline->row_times, timeline->row_values, 0, 1, real,
                    first, count, timeline->scratch, values + at, observed + at, stride);
      } else {
        int rows = consecutive ? sensor->row_count : 1;
        ow_resample(&sensor->kernel, times, row, sensor->capacity, rows, n, first, count,
                    timeline->scratch, values + at, observed + at, stride);
        r += rows - 1;
      }
    }
  }
  return true;
}

/* ---- What is forgotten ---- */

/* Count the stamps from `repaired_to` to `before` that are off the line of their clock. */
static bool count_repaired(ow_timeline *timeline, double before) {
  for (int s = 0; s < timeline->sensor_count; s++) {
    ow_sensor *sensor = &timeline->sensors[s];
    size_t held = sensor->end - sensor->begin;
    if (sensor->minutes || !held) continue;
    size_t end = ow_search(sensor->times + sensor->begin, held, before, false);
    if (!make_scratch(timeline, end)) return false;
    for (int r = 0; r < sensor->row_count; r++) {
      size_t n = compact(timeline, sensor, r, end);
      size_t from = ow_search(timeline->row_times, n, timeline->repaired_to, false);
      size_t since = from > OW_HISTORY ? from - OW_HISTORY : 0;
      timeline->tallies[sensor->rows[r]].counters.repaired +=
          ow_strays(timeline->row_times + since, n - since, from - since, sensor->rate,
                    timeline->scratch);
    }
  }
  timeline->repaired_to = before;
  return true;
}

bool ow_timeline_forget(ow_timeline *timeline, ow_index first) {
  double before = time_of(timeline, first);
  if (!count_repaired(timeline, before)) return false;
  for (int s = 0; s < timeline->sensor_count; s++) {
    ow_sensor *sensor = &timeline->sensors[s];
    size_t held = sensor->end - sensor->begin;
    if (!held) continue;
    double *times = sensor->times + sensor->begin;
    sensor->begin += ow_search(times, held, before - sensor->reach - sensor->run, false);
    if (sensor->begin == sensor->end) sensor->begin = sensor->end = 0;
  }
  return true;
}

bool ow_timeline_count_rest(ow_timeline *timeline) {
  return count_repaired(timeline, INFINITY);
}
