/* What a stream remembers of each channel: a running mean and scale over minutes.

   Blocks of grid points in, the graph's `baseline` input out. Old blocks are forgotten
   exponentially; each is merged relative to the mean so far, by the rule of Chan, Golub and
   LeVeque (1979), in double, so that rounding does not add up over a day. */
#include "onwrist_internal.h"

/* Sums as NumPy adds them, so that a mean has the same bits: eight at a time, then in pairs. */
static double sum(const double *x, int n) {
  if (n < 8) {
    double total = 0;
    for (int i = 0; i < n; i++) total += x[i];
    return total;
  }
  if (n > 128) {
    int half = n / 2;
    half -= half % 8;
    return sum(x, half) + sum(x + half, n - half);
  }
  double r[8];
  int i = 8;
  for (int k = 0; k < 8; k++) r[k] = x[k];
  for (; i < n - n % 8; i += 8)
    for (int k = 0; k < 8; k++) r[k] += x[i + k];
  double total = ((r[0] + r[1]) + (r[2] + r[3])) + ((r[4] + r[5]) + (r[6] + r[7]));
  for (; i < n; i++) total += x[i];
  return total;
}

void ow_baseline_update(ow_baseline *baseline, const float *values, const uint8_t *observed,
                        size_t stride) {
  int channels = baseline->channels, samples = baseline->samples;
  double *deviation = baseline->state + 3 * channels;
  for (int c = 0; c < channels; c++) {
    double weight = baseline->state[c], mean = baseline->state[channels + c];
    double squares = baseline->state[2 * channels + c];
    const float *row = values + (size_t)c * stride;
    const uint8_t *seen = observed + (size_t)c * stride;
    int count = 0, first = -1;
    for (int k = 0; k < samples; k++) {
      count += seen[k] != 0;
      if (seen[k] && first < 0) first = k;
    }
    /* A mean of nothing starts at a value, so that differences from it are small. */
    if (weight == 0 && first >= 0) mean = row[first];
    for (int k = 0; k < samples; k++) deviation[k] = (seen[k] ? (double)row[k] : mean) - mean;
    double total = sum(deviation, samples);
    for (int k = 0; k < samples; k++) deviation[k] *= deviation[k];
    weight = weight * baseline->kept + count;
    double step = total / fmax(weight, 1e-9);
    squares = squares * baseline->kept + sum(deviation, samples) - total * step;
    baseline->state[c] = weight;
    baseline->state[channels + c] = mean + step;
    baseline->state[2 * channels + c] = fmax(squares, 0);
  }
}

void ow_baseline_usual(const ow_baseline *baseline, double *usual) {
  int channels = baseline->channels;
  for (int c = 0; c < channels; c++) {
    double weight = baseline->state[c];
    bool known = weight >= baseline->least;
    double scale = sqrt(baseline->state[2 * channels + c] / fmax(weight, 1e-9));
    usual[2 * c] = known ? baseline->state[channels + c] : NAN;
    usual[2 * c + 1] = known ? scale : NAN;
  }
}

void ow_baseline_input(const double *usual, int channels, float *input) {
  for (int c = 0; c < channels; c++) {
    bool known = !isnan(usual[2 * c]) && !isnan(usual[2 * c + 1]);
    input[3 * c] = known ? (float)usual[2 * c] : 0;
    input[3 * c + 1] = known ? (float)usual[2 * c + 1] : 0;
    input[3 * c + 2] = known ? 1 : 0;
  }
}
