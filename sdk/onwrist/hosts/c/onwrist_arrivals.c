/* What is pushed in: stamps and samples, checked first and then put in their places.

   Everything is checked before anything is taken. Samples of a sensor are kept in the order of
   time, each stamp once; a channel that has no sample at a stamp is NaN there. */
#include "onwrist_internal.h"

#include <string.h>

#define PIECE 16384 /* samples that are looked at as one when they are checked */
#define SMALLEST 64 /* samples that there is always room for */

static bool is_some(const float *sample, int width) {
  for (int k = 0; k < width; k++)
    if (!isnan(sample[k])) return true;
  return false;
}

onwrist_status ow_timeline_check(const ow_timeline *timeline, const ow_sensor *sensor,
                                 const char *name, const double *times, const float *samples,
                                 int width, size_t count, onwrist_error *error) {
  double newest = timeline->newest, mark = newest;
  size_t held = sensor->end - sensor->begin;
  for (size_t begin = 0; begin < count; begin += PIECE) {
    size_t stop = count - begin < PIECE ? count : begin + PIECE, kept = 0;
    for (size_t i = begin; i < stop; i++) {
      if (!(fabs(times[i]) <= OW_LATEST))
        return ow_fail(error, ONWRIST_INPUT,
                       "'%s': a time must be finite and in seconds, not %.17g (milliseconds, "
                       "perhaps?)", name, times[i]);
      for (int k = 0; k < width; k++) {
        float value = samples[i * (size_t)width + (size_t)k];
        if (fabsf(value) >= OW_LARGEST)
          return ow_fail(error, ONWRIST_INPUT,
                         "'%s': a sample is %g; a sample must be below %g in magnitude, and NaN "
                         "where it is missing", name, (double)value, (double)OW_LARGEST);
      }
    }
    for (size_t i = begin; i < stop; i++) {
      if (!is_some(samples + i * (size_t)width, width)) continue;
      if (newest > -INFINITY && fabs(times[i] - newest) > OW_LONGEST)
        return ow_fail(error, ONWRIST_INPUT,
                       "'%s': a time stamp is %.17g, but the newest so far is %.17g: all "
                       "sensors of a stream must be on one clock; reset begins anew", name,
                       times[i], newest);
      newest = fmax(newest, times[i]);
      kept += times[i] >= newest - timeline->lateness;
    }
    held += kept;
    if (newest - mark >= sensor->limit_seconds) {
      mark = newest;
      held = kept;
    } else if (held > sensor->limit_samples) {
      return ow_fail(error, ONWRIST_INPUT,
                     "'%s': more than %zu samples within %.0f s are more than a stream holds: "
                     "state the sensor's rate in the options' rates, or correct the time stamps",
                     name, sensor->limit_samples, sensor->limit_seconds);
    }
  }
  return ONWRIST_OK;
}

/* Room for `count` more samples at the end. */
static bool make_room(ow_timeline *timeline, ow_sensor *sensor, size_t count) {
  size_t held = sensor->end - sensor->begin, capacity = sensor->capacity;
  if (sensor->end + count <= capacity) return true;
  /* With a quarter to spare, so that not every push moves all that is held. */
  while (capacity < held + held / 4 + count) capacity = capacity ? 2 * capacity : SMALLEST;
  double *times = sensor->times;
  float *values = sensor->values;
  size_t old = sensor->capacity;
  if (capacity > old) {
    size_t rows = (size_t)sensor->row_count;
    double *more = ow_alloc(timeline->memory, capacity, sizeof *times);
    float *wider = more ? ow_alloc(timeline->memory, capacity * rows, sizeof *values) : NULL;
    if (!wider) return false;
    sensor->times = more;
    sensor->values = wider;
    sensor->capacity = capacity;
  }
  if (held) memmove(sensor->times, times + sensor->begin, held * sizeof *times);
  for (int r = 0; r < sensor->row_count && held; r++)
    memmove(sensor->values + (size_t)r * sensor->capacity,
            values + (size_t)r * old + sensor->begin, held * sizeof *values);
  sensor->begin = 0;
  sensor->end = held;
  if (capacity > old) {
    ow_grow(timeline->memory, times, 0);
    ow_grow(timeline->memory, values, 0);
  }
  return true;
}

/* Put one sample in its place; of several at one stamp the smallest stays. */
static void sort_in(ow_timeline *timeline, ow_sensor *sensor, double time, const float *values) {
  size_t held = sensor->end - sensor->begin, at = held;
  double *times = sensor->times + sensor->begin;
  if (held && times[held - 1] >= time) at = ow_search(times, held, time, false);
  bool there = at < held && times[at] == time;
  if (!there) {
    memmove(times + at + 1, times + at, (held - at) * sizeof *times);
    times[at] = time;
    sensor->end++;
  }
  for (int r = 0; r < sensor->row_count; r++) {
    float *row = sensor->values + (size_t)r * sensor->capacity + sensor->begin;
    ow_tally *tally = &timeline->tallies[sensor->rows[r]];
    if (!there) {
      memmove(row + at + 1, row + at, (held - at) * sizeof *row);
      row[at] = NAN;
    }
    if (isnan(values[r])) continue;
    if (isnan(row[at])) tally->counters.samples++;
    else tally->counters.duplicate++;
    /* -0.0 and 0.0 are as small as each other: adding 0 makes them the same. */
    if (isnan(row[at]) || values[r] < row[at]) row[at] = values[r] + 0.0f;
    if (!(tally->last >= time)) tally->last = time;
  }
}

bool ow_timeline_take(ow_timeline *timeline, ow_sensor *sensor, int axis, const double *times,
                      const float *samples, int width, size_t count) {
  float values[OW_CHANNELS];
  if (!make_room(timeline, sensor, count)) return false;
  for (int r = 0; r < sensor->row_count; r++) values[r] = NAN;
  for (size_t i = 0; i < count; i++) {
    const float *sample = samples + i * (size_t)width;
    if (!is_some(sample, width)) continue;
    for (int k = 0; k < width; k++) values[axis < 0 ? k : axis] = sample[k];
    timeline->newest = fmax(timeline->newest, times[i]);
    if (times[i] < timeline->newest - timeline->lateness) {
      for (int r = 0; r < sensor->row_count; r++)
        timeline->tallies[sensor->rows[r]].counters.late += isnan(values[r]) ? 0 : 1;
      continue;
    }
    sort_in(timeline, sensor, times[i], values);
  }
  return true;
}
