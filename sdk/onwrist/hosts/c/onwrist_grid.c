/* The resampler: samples with time stamps in, values and `observed` on the grid out.

   Two ways, by the native rate. From half the grid's rate up, a Kaiser-windowed sinc: below half
   the grid's rate where there is something above it to remove, else an interpolating one. Below
   half the grid's rate (temperature, skin conductance), straight lines between neighbours.
   Stamps that are off the line of their sampling clock are moved onto it first.

   Every grid point is computed on its own, by double operations in one fixed order: its bits do
   not depend on which others are computed with it. HOST.md has the rules. */
#include "onwrist_internal.h"

#include <string.h>

#define HALF_WIDTH 9.0  /* periods of the slower of the two rates, to each side */
#define CUTOFF 0.41     /* of the grid's rate */
#define KAISER_BETA 5.0
#define TABLE_STEPS 512 /* per period of the slower rate */
#define STRAY (1.0 / 16)   /* of a period: further off its line a stamp is moved */
#define FURTHEST (7.0 / 16) /* of a period that a stamp is moved */
#define PI 3.14159265358979323846

double ow_reach(double rate, double grid_rate) {
  double ahead = rate < grid_rate / 2 ? 2 / rate : HALF_WIDTH / fmin(rate, grid_rate);
  return ahead + 0.5 / rate;
}

size_t ow_search(const double *times, size_t n, double time, bool after) {
  size_t low = 0, high = n;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    if (times[middle] < time || (after && times[middle] == time)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/* The modified Bessel function of the first kind and order 0. */
static double bessel0(double x) {
  double term = 1, sum = 1, half = x * x / 4;
  for (int k = 1; k < 500 && term > sum * 1e-18; k++) {
    term *= half / ((double)k * k);
    sum += term;
  }
  return sum;
}

bool ow_kernel_make(ow_kernel *kernel, ow_memory *memory, double rate, double grid_rate) {
  memset(kernel, 0, sizeof *kernel);
  kernel->rate = rate;
  kernel->grid_rate = grid_rate;
  kernel->slow = rate < grid_rate / 2;
  if (kernel->slow) return true;
  double slower = fmin(rate, grid_rate);
  double cutoff = rate > grid_rate ? CUTOFF * grid_rate : rate / 2;
  double half_width = HALF_WIDTH / slower;
  ow_index taps = (ow_index)ceil(half_width * rate) + 1;
  ow_index steps = (ow_index)fmax(1, rint(TABLE_STEPS * slower / rate));
  size_t rows = (size_t)(2 * taps + 1), entries = rows * (size_t)steps;
  double *table = ow_alloc(memory, entries + 1, sizeof *table);
  if (!table) return false;
  /* Each row is one period of the filter; adding up the rows makes the difference between two
     points that are one period apart exactly the tap between them. */
  for (ow_index column = 0; column < steps; column++) {
    double sum = 0, running = 0;
    for (size_t row = 0; row < rows; row++) {
      ow_index entry = (ow_index)row * steps + column;
      double distance = (double)(entry - taps * steps) / (double)steps / rate;
      double inside = 1 - (distance / half_width) * (distance / half_width);
      double window = inside > 0 ? bessel0(KAISER_BETA * sqrt(inside)) / bessel0(KAISER_BETA) : 0;
      double angle = PI * (2 * cutoff * distance);
      double sinc = angle == 0 ? 1 : sin(angle) / angle;
      table[entry] = 2 * cutoff / rate * sinc * window;
      sum += table[entry];
    }
    for (size_t row = 0; row < rows; row++) {
      double *entry = table + row * (size_t)steps + (size_t)column;
      running += *entry / sum;
      *entry = running;
    }
  }
  table[entries] = table[entries - 1];
  kernel->half_width = half_width;
  /* The sum up to the tap at one distance is the integral up to the end of its cell. */
  kernel->start_twice = 2 * ((0.5 - (double)taps) / rate);
  kernel->scale_half = rate * (double)steps / 2;
  kernel->table = table;
  kernel->entries = entries + 1;
  return true;
}

/* ---- Stamps ---- */

/* The line less stamp i, whose run began at `begin`: the lower median of the last fifteen. */
static double line_off(const double *times, size_t i, size_t begin, double period) {
  double lines[OW_HISTORY + 1];
  size_t count = i - begin < OW_HISTORY ? i - begin : OW_HISTORY;
  for (size_t k = 0; k <= count; k++) {
    double line = (times[i - k] - times[i]) + (double)k * period;
    size_t at = k;
    for (; at > 0 && lines[at - 1] > line; at--) lines[at] = lines[at - 1];
    lines[at] = line;
  }
  return lines[count / 2];
}

/* Each stamp's distance from its line into `off`; false if none can be off by p / 16. */
static bool lines_off(const double *times, size_t n, double rate, double *off) {
  double period = 1 / rate, steady = STRAY / OW_HISTORY * period;
  bool any = false;
  for (size_t i = 1; i < n && !any; i++) {
    double apart = fabs(times[i] - times[i - 1] - period);
    any = apart > steady && apart < period / 2;
  }
  if (!any) return false;
  size_t begin = 0;
  for (size_t i = 0; i < n; i++) {
    if (i > 0 && fabs(times[i] - times[i - 1] - period) >= period / 2) begin = i;
    off[i] = line_off(times, i, begin, period);
  }
  return true;
}

/* How far stamps are moved, into `off`; false where none is. */
static bool moves(const double *times, size_t n, double rate, double *off) {
  double period = 1 / rate;
  if (!lines_off(times, n, rate, off)) return false;
  for (size_t i = 0; i < n; i++) {
    bool stays = fabs(off[i]) <= STRAY * period;
    double moved = fmax(fmin(off[i], FURTHEST * period), -FURTHEST * period);
    bool followed = i + 1 < n && (times[i + 1] - times[i]) - period <= -period / 2;
    if (followed) moved = fmin(moved, 0);
    off[i] = stays ? 0 : moved;
  }
  return true;
}

size_t ow_strays(const double *times, size_t n, size_t from, double rate, double *off) {
  size_t count = 0;
  if (!lines_off(times, n, rate, off)) return 0;
  for (size_t i = from; i < n; i++) count += fabs(off[i]) > STRAY * (1 / rate);
  return count;
}

/* ---- Grid points ---- */

/* Lines between samples that are less than two periods apart, else the nearest one. */
static void straight(const ow_kernel *kernel, const double *times, const float *values,
                     size_t stride, int rows, size_t n, double at, float *out,
                     size_t out_stride) {
  size_t after = ow_search(times, n, at, false);
  size_t left = after > 0 ? after - 1 : 0, right = after < n ? after : n - 1;
  double step = times[right] - times[left];
  double share = (at - times[left]) / (step > 0 ? step : 1);
  if (step >= 2 / kernel->rate - OW_SAME_TIME) {
    if (share > 0.5) left = right;
    share = 0;
  }
  share = share < 0 ? 0 : share > 1 ? 1 : share;
  for (int row = 0; row < rows; row++) {
    const float *of = values + (size_t)row * stride;
    double rise = (double)of[right] - of[left];
    out[(size_t)row * out_stride] = (float)(of[left] + rise * share);
  }
}

/* The weighted sum of the samples within the kernel: a sample weighs the integral over the time
   that is nearer to it than to its neighbours. */
static void filtered(const ow_kernel *kernel, const double *times, const float *values,
                     size_t stride, int rows, size_t n, double at, float *out,
                     size_t out_stride) {
  size_t first = ow_search(times, n, at - kernel->half_width, true);
  size_t stop = ow_search(times, n, at + kernel->half_width, false);
  double sums[16];
  for (int row = 0; row < rows; row += 16) {
    int some = rows - row < 16 ? rows - row : 16;
    double before = 0;
    for (int k = 0; k < some; k++) sums[k] = 0;
    for (size_t j = first; j < stop; j++) {
      double upto;
      if (j + 1 < stop) {
        double position = (times[j] - at) + (times[j + 1] - at);
        position = (position - kernel->start_twice) * kernel->scale_half;
        size_t entry = (size_t)position;
        double *table = kernel->table + entry;
        upto = (table[1] - table[0]) * (position - (double)entry) + table[0];
      } else {
        upto = kernel->table[kernel->entries - 1];
      }
      for (int k = 0; k < some; k++)
        sums[k] += (double)values[(size_t)(row + k) * stride + j] * (upto - before);
      before = upto;
    }
    for (int k = 0; k < some; k++) out[(size_t)(row + k) * out_stride] = (float)sums[k];
  }
}

void ow_resample(const ow_kernel *kernel, const double *times, const float *values,
                 size_t stride, int rows, size_t n, ow_index first, int count, double *scratch,
                 float *out, uint8_t *observed, size_t out_stride) {
  for (int row = 0; row < rows; row++) {
    memset(out + (size_t)row * out_stride, 0, (size_t)count * sizeof *out);
    memset(observed + (size_t)row * out_stride, 0, (size_t)count);
  }
  if (n == 0 || count == 0) return;
  double far = ow_reach(kernel->rate, kernel->grid_rate);
  size_t begin = ow_search(times, n, (double)first / kernel->grid_rate - far, false);
  size_t end = ow_search(times, n, (double)(first + count - 1) / kernel->grid_rate + far, false);
  begin = begin > OW_HISTORY ? begin - OW_HISTORY : 0;
  n = end - begin;
  if (end <= begin) return;
  times += begin;
  values += begin;
  if (moves(times, n, kernel->rate, scratch)) {
    for (size_t i = 0; i < n; i++) scratch[i] += times[i];
    times = scratch;
  }
  for (int k = 0; k < count; k++) {
    double at = (double)(first + k) / kernel->grid_rate;
    size_t after = ow_search(times, n, at, false);
    double left = fabs(at - times[after > 0 ? after - 1 : 0]);
    double right = fabs(times[after < n ? after : n - 1] - at);
    /* A point exactly one period away is not observed, however its time is rounded. */
    if (!(fmin(left, right) < 1 / kernel->rate - OW_SAME_TIME)) continue;
    for (int row = 0; row < rows; row++) observed[(size_t)row * out_stride + (size_t)k] = 1;
    (kernel->slow ? straight : filtered)(kernel, times, values, stride, rows, n, at, out + k,
                                         out_stride);
  }
}
