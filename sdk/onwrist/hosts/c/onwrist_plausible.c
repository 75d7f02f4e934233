/* A window of several sensors in; out, those that cannot be believed, and why, in words.

   The constants say what is plausible. Only grid points at which all six channels of a sensor
   are observed count, and of too few nothing is said. Sums are taken in double: a window that
   lies on a limit to the last bit of a float may be judged otherwise than elsewhere. */
#include "onwrist_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LEAST 0.25          /* share of a window in which all channels are observed */
#define REST 0.8            /* seconds that a sensor must be quiet */
#define QUIET 0.05          /* greatest deviation there, as share of the mean */
#define EQUAL 1e-4f         /* two samples are equal if they differ by less, in g or deg/s */
#define LEAST_FEATURE 1e-3f /* deviations below are taken as this */
#define STILL 1e-6f         /* g, below the noise of any sensor */
#define RADIAN 57.29578     /* degrees */
#define FEATURES 9
#define ORDERS 6
#define ARRANGEMENTS 48 /* the first is as it is */

typedef struct {
  int count, run[6], rails[6];
  float gravity, rest_low, rest_high, shakes, turns;
} looks;

size_t ow_plausible_scratch(const onwrist_bundle *b) {
  return 3 * (size_t)b->samples + (FEATURES + 1) * (size_t)b->plausible_count;
}

static int ascending(const void *a, const void *b) {
  float x, y;
  memcpy(&x, a, sizeof x);
  memcpy(&y, b, sizeof y);
  return (x > y) - (x < y);
}

/* ---- What a window looks like ---- */

/* Second least and second greatest mean magnitude over the stretches that are quiet. */
static void look_at_rest(const float *magnitude, const float *seen, int samples, double rate,
                         looks *found) {
  int length = (int)fmax(2, rint(REST * rate)), stretches = samples / length;
  float low[2] = {INFINITY, INFINITY}, high[2] = {-INFINITY, -INFINITY};
  float each = (float)(1.0 / length);
  for (int s = 0; s < stretches; s++) {
    double sum = 0, squares = 0;
    bool whole = true;
    for (int k = s * length; k < (s + 1) * length; k++) {
      sum += magnitude[k];
      squares += (double)magnitude[k] * magnitude[k];
      whole = whole && seen[k] > 0;
    }
    float mean = (float)sum * each, square = (float)squares * each;
    if (!whole || !(square <= mean * mean * (float)(1 + QUIET * QUIET))) continue;
    if (mean < low[1]) low[1] = mean;
    if (low[1] < low[0]) low[1] = low[0], low[0] = mean;
    if (mean > high[1]) high[1] = mean;
    if (high[1] > high[0]) high[1] = high[0], high[0] = mean;
  }
  found->rest_low = stretches < 2 ? INFINITY : low[1];
  found->rest_high = stretches < 2 ? -INFINITY : high[1];
}

static int longest_run(const float *row, const float *seen, int samples) {
  int longest = 0, run = 0;
  for (int k = 0; k < samples; k++) {
    bool ends = k == 0 || fabsf(row[k] - row[k - 1]) >= EQUAL || seen[k] * seen[k - 1] == 0;
    run = ends ? 1 : run + 1;
    if (run > longest) longest = run;
  }
  return longest;
}

/* How many samples are the least, or the greatest if that is more; 0 where missing. */
static int at_extremes(const float *centred, int samples, int count) {
  float least = centred[0], most = centred[0];
  int low = 0, high = 0;
  for (int k = 1; k < samples; k++) {
    if (centred[k] < least) least = centred[k];
    if (centred[k] > most) most = centred[k];
  }
  for (int k = 0; k < samples; k++) {
    low += centred[k] <= least + EQUAL;
    high += centred[k] >= most - EQUAL;
  }
  int counted = low > high ? low : high;
  return counted < count ? counted : count;
}

static void look(const onwrist_bundle *b, const onwrist_plausible *record, const float *values,
                 const uint8_t *observed, float *scratch, looks *found, float *features) {
  int n = b->samples;
  size_t samples = (size_t)n;
  float *seen = scratch, *magnitude = scratch + samples, *centred = scratch + 2 * samples;
  double squares[6];
  found->count = 0;
  for (int k = 0; k < n; k++) {
    bool all = true;
    for (int a = 0; a < 6; a++)
      all = all && observed[(size_t)record->rows[a] * samples + (size_t)k];
    seen[k] = all;
    found->count += all;
  }
  double count = found->count > 0 ? found->count : 1;
  memset(magnitude, 0, samples * sizeof *magnitude);
  for (int a = 0; a < 6; a++) {
    const float *row = values + (size_t)record->rows[a] * samples;
    double sum = 0;
    for (int k = 0; k < n; k++) sum += (double)row[k] * seen[k];
    float mean = (float)(sum / count);
    squares[a] = 0;
    for (int k = 0; k < n; k++) {
      centred[k] = (row[k] - mean) * seen[k];
      squares[a] += (double)centred[k] * centred[k];
      if (a < 3) magnitude[k] += row[k] * row[k];
    }
    if (a < 3) features[a] = mean;
    squares[a] = (float)(squares[a] / count);
    features[3 + a] = logf(fmaxf(sqrtf((float)squares[a]), LEAST_FEATURE));
    found->run[a] = longest_run(row, seen, n);
    found->rails[a] = at_extremes(centred, n, found->count);
  }
  found->shakes = (float)sqrt(squares[0] + squares[1] + squares[2]);
  found->turns = (float)sqrt(squares[3] + squares[4] + squares[5]);
  for (int k = 0; k < n; k++) magnitude[k] = sqrtf(magnitude[k]);
  look_at_rest(magnitude, seen, n, b->rate, found);
  for (int k = 0; k < n; k++) centred[k] = seen[k] > 0 ? magnitude[k] : INFINITY;
  qsort(centred, samples, sizeof *centred, ascending);
  found->gravity = centred[(found->count > 0 ? found->count - 1 : 0) / 2];
}

/* ---- A sensor on its own ---- */

static bool within(double value, const double range[2]) {
  return range[0] <= value && value <= range[1];
}

static int most_of(const int *numbers, int from, int to) {
  int best = from;
  for (int k = from + 1; k < to; k++)
    if (numbers[k] > numbers[best]) best = k;
  return best;
}

/* What explains an acceleration that is not that of gravity: the end of a sentence. */
static void say_unit(char *text, size_t size, double gravity, const double rest[2]) {
  static const double SCALES[] = {9.80665, 1000.0, 0.25, 4.0, 0.5, 2.0};
  static const char *const WHAT[] = {": in m/s2?", ": in mg?",
                                     ": a quarter the gravity, in another range?",
                                     ": fourfold the gravity, in another range?",
                                     ": half the gravity, in another range?",
                                     ": double the gravity, in another range?"};
  for (int k = 0; k < 6; k++) {
    if (!within(gravity / SCALES[k], rest)) continue;
    snprintf(text, size, "%s", WHAT[k]);
    return;
  }
  snprintf(text, size, " and not %.2f to %.2f", rest[0], rest[1]);
}

static void say_turning(const onwrist_plausible *record, const looks *found, char *reason) {
  double turns = found->turns, ratio = found->turns / fmaxf(found->shakes, STILL);
  const char *radians = within(turns * RADIAN, record->turns) ? ": in rad/s?" : "";
  if (!within(turns, record->turns)) {
    snprintf(reason, OW_REASON, "it turns by %.3g deg/s and not %.3g to %.3g%s", turns,
             record->turns[0], record->turns[1], radians);
    return;
  }
  ratio = turns / fmax(found->shakes, STILL);
  snprintf(reason, OW_REASON,
           "it turns by %.3g deg/s for each g of acceleration and not %.3g to %.3g%s", ratio,
           record->turns_per_g[0], record->turns_per_g[1], radians);
}

/* Why the samples of a sensor cannot be believed on their own; whether that is so. */
static bool doubt(const onwrist_bundle *b, const onwrist_plausible *record, const looks *found,
                  char *reason) {
  int longest = most_of(found->run, 0, 6), saturated[2], saturated_count = 0;
  int railed[2] = {most_of(found->rails, 0, 3), most_of(found->rails, 3, 6)};
  double count = found->count > 0 ? found->count : 1;
  double ratio = found->turns / fmaxf(found->shakes, STILL);
  char unit[96];
  bool constant = found->run[longest] > record->run * b->samples, returns = false;
  bool fits = !constant && within(found->gravity, record->gravity) &&
              found->rest_low >= record->rest[0] &&
              fmaxf(found->rest_high, 0) <= record->rest[1] &&
              within(found->turns, record->turns) && within(ratio, record->turns_per_g);
  for (int part = 0; part < 2; part++) {
    int rails = found->rails[railed[part]];
    fits = fits && rails / count <= record->rails[part];
    if (!(rails > record->rails[part] * found->count)) continue;
    saturated[saturated_count++] = railed[part];
    /* What is at its limit often stays there; but it comes back as well, and again. */
    returns = returns || (found->run[railed[part]] < rails && rails < found->count);
  }
  if (fits) return false;
  if (constant && !returns) {
    snprintf(reason, OW_REASON, "constant: %d samples of %s in a row are the same",
             found->run[longest], b->channels[record->rows[longest]].name);
    return true;
  }
  if (saturated_count) {
    snprintf(reason, OW_REASON, "saturated: %.0f%% of %s are one extreme value",
             100 * (found->rails[saturated[0]] / count),
             b->channels[record->rows[saturated[0]]].name);
    return true;
  }
  const double rests[2] = {found->rest_low, found->rest_high};
  for (int k = 0; k < 2; k++) {
    if (!isfinite(rests[k]) || within(rests[k], record->rest)) continue;
    say_unit(unit, sizeof unit, rests[k], record->rest);
    snprintf(reason, OW_REASON, "its acceleration at rest is %.3g g%s", rests[k], unit);
    return true;
  }
  if (!within(found->gravity, record->gravity)) {
    say_unit(unit, sizeof unit, found->gravity, record->rest);
    snprintf(reason, OW_REASON, "its median acceleration is %.3g g%s", (double)found->gravity,
             unit);
    return true;
  }
  say_turning(record, found, reason);
  return true;
}

/* ---- Other explanations ---- */

static const uint8_t ORDER[ORDERS][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                         {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};

/* Signs of an arrangement: the last axis changes fastest, as in the order of every host. */
static int sign_of(int arrangement, int axis) {
  return (arrangement % 8) >> (2 - axis) & 1 ? -1 : 1;
}

/* Log-likelihood of features in an arrangement of their axes, less what all share. */
static double likelihood(const onwrist_plausible *usual, const float *features,
                         int arrangement) {
  const uint8_t *order = ORDER[arrangement / 8];
  double centred[FEATURES], found = 0;
  for (int part = 0; part < 3; part++) {
    for (int axis = 0; axis < 3; axis++) {
      float feature = features[3 * part + order[axis]];
      if (part == 0) feature *= (float)sign_of(arrangement, axis);
      centred[3 * part + axis] = (double)(feature - usual->mean[3 * part + axis]);
    }
  }
  const float *weight = usual->whitening;
  for (int row = 0; row < FEATURES; row++) {
    double white = 0;
    for (int column = 0; column <= row; column++) white += centred[column] * *weight++;
    found += log(weight[-1]) - 0.5 * white * white;
  }
  return found;
}

static void say_axes(int arrangement, char *text, size_t size) {
  const uint8_t *order = ORDER[arrangement / 8];
  char axes[3][3];
  for (int axis = 0; axis < 3; axis++)
    snprintf(axes[axis], sizeof axes[axis], "%s%c", sign_of(arrangement, axis) < 0 ? "-" : "",
             "xyz"[order[axis] % 3]);
  snprintf(text, size, "explained better with %s, %s, %s for its axes x, y, z", axes[0], axes[1],
           axes[2]);
}

typedef struct {
  double excess;
  int first, second, arrangement; /* second is -1 for axes */
} claim;

/* The claim that exceeds its margin by most, of those whose sensors are not blamed yet. */
static claim best_claim(const onwrist_bundle *b, const float *features, const float *able) {
  claim best = {0, -1, -1, 0};
  for (int i = 0; i < b->plausible_count; i++) {
    const onwrist_plausible *one = &b->plausible[i];
    if (!(able[i] > 0) || isinf(one->turned)) continue;
    const float *own = features + FEATURES * i;
    double as_is = likelihood(one, own, 0), most = -INFINITY;
    int at = 1;
    for (int k = 1; k < ARRANGEMENTS; k++) {
      double gain = likelihood(one, own, k) - as_is;
      if (gain > most) most = gain, at = k;
    }
    if (most - one->turned > best.excess) best = (claim){most - one->turned, i, -1, at};
  }
  for (int i = 0; i < b->plausible_count; i++) {
    for (int j = 0; j < b->plausible_count; j++) {
      const onwrist_plausible *one = &b->plausible[i], *other = &b->plausible[j];
      if (i == j || !(able[i] > 0) || !(able[j] > 0) || isinf(one->exchanged[j])) continue;
      const float *mine = features + FEATURES * i, *its = features + FEATURES * j;
      double gain = likelihood(one, its, 0) + likelihood(other, mine, 0) -
                    likelihood(one, mine, 0) - likelihood(other, its, 0);
      if (gain - one->exchanged[j] > best.excess)
        best = (claim){gain - one->exchanged[j], i, j, 0};
    }
  }
  return best;
}

static void blame(const onwrist_bundle *b, const claim *made, char (*reasons)[OW_REASON]) {
  int first = b->plausible[made->first].sensor;
  if (made->second < 0) {
    say_axes(made->arrangement, reasons[first], OW_REASON);
    return;
  }
  int second = b->plausible[made->second].sensor;
  snprintf(reasons[first], OW_REASON, "explained better by %.90s and %.90s exchanged",
           b->sensors[first], b->sensors[second]);
  memcpy(reasons[second], reasons[first], OW_REASON);
}

void ow_implausible(const onwrist_bundle *b, const float *values, const uint8_t *observed,
                    float *scratch, char (*reasons)[OW_REASON]) {
  float *features = scratch + 3 * (size_t)b->samples;
  float *able = features + FEATURES * (size_t)b->plausible_count;
  for (int i = 0; i < b->plausible_count; i++) {
    const onwrist_plausible *record = &b->plausible[i];
    looks found;
    look(b, record, values, observed, scratch, &found, features + FEATURES * i);
    bool enough = found.count >= LEAST * b->samples;
    bool doubtful = enough && doubt(b, record, &found, reasons[record->sensor]);
    able[i] = enough && !doubtful && record->mean;
  }
  for (;;) {
    claim made = best_claim(b, features, able);
    if (made.first < 0) return;
    blame(b, &made, reasons);
    able[made.first] = 0;
    if (made.second >= 0) able[made.second] = 0;
  }
}
