/* Days: samples to minutes, what was observed of a day to tokens, slots and the time of day.

   A grid point is an interval of time here: nothing is interpolated and no stamp is repaired. */
#include "onwrist_internal.h"

#include <string.h>

double ow_minutes_start(const ow_minutes *minutes, ow_index interval) {
  return minutes->zero + (double)interval * minutes->period;
}

ow_index ow_minutes_holding(const ow_minutes *minutes, double time) {
  ow_index interval = (ow_index)floor((time - minutes->zero) / minutes->period);
  /* The division rounds, the edges count. */
  while (time < ow_minutes_start(minutes, interval)) interval--;
  while (time >= ow_minutes_start(minutes, interval + 1)) interval++;
  return interval;
}

void ow_aggregate(const ow_minutes *minutes, const double *times, const float *values, size_t n,
                  bool sums, ow_index first, int count, float *out, uint8_t *observed) {
  size_t at = ow_search(times, n, ow_minutes_start(minutes, first), false);
  for (int k = 0; k < count; k++) {
    double end = ow_minutes_start(minutes, first + k + 1), total = 0;
    size_t taken = 0;
    for (; at < n && times[at] < end; at++) {
      if (isnan(values[at])) continue;
      total += values[at];
      taken++;
    }
    if (!sums && taken) total /= (double)taken;
    observed[k] = taken > 0 && fabs(total) < OW_LARGEST;
    out[k] = observed[k] ? (float)total : 0;
  }
}

int ow_present(const onwrist_bundle *bundle, const uint8_t *observed, size_t stride,
               int patches, uint8_t *present) {
  int total = 0;
  for (int patch = 0; patch < patches; patch++) {
    for (int g = 0; g < bundle->group_count; g++) {
      const onwrist_group *group = &bundle->groups[g];
      int points = 0;
      for (int k = patch * bundle->patch; k < (patch + 1) * bundle->patch; k++) {
        bool any = false;
        for (int c = 0; c < group->channel_count && !any; c++)
          any = observed[(size_t)group->channels[c] * stride + (size_t)k] != 0;
        points += any;
      }
      bool there = points >= group->least;
      present[patch * bundle->group_count + g] = there;
      total += there;
    }
  }
  return total;
}

int ow_slots(const onwrist_bundle *bundle, const uint8_t *present, int count, int tokens,
             int *slots) {
  int size = 0, at = 0;
  for (int k = 0; k < bundle->token_size_count; k++) {
    size = bundle->token_sizes[k];
    if (size >= count) break;
  }
  for (int token = 0; token < tokens; token++)
    if (present[token]) slots[at++] = token;
  while (at < size) slots[at++] = -1;
  return size;
}

void ow_nearest(const uint8_t *observed, int count, float *before, float *after) {
  int last = -1;
  for (int k = 0; k < count; k++) {
    if (observed[k]) last = k;
    before[k] = (float)last;
  }
  last = count;
  for (int k = count - 1; k >= 0; k--) {
    if (observed[k]) last = k;
    after[k] = (float)last;
  }
}

ow_index ow_floor_div(ow_index a, ow_index b) {
  return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

ow_index ow_modulo(ow_index a, ow_index b) { return a - ow_floor_div(a, b) * b; }

int ow_clock(double start, double midnight, double period, int patch, int patches) {
  double seconds = patch * period;
  double at = rint((start - midnight) / seconds);
  if (!(fabs(start - midnight - at * seconds) <= OW_SAME_TIME)) return -1;
  return (int)ow_modulo((ow_index)at, patches);
}
