/* What a caller asks of a stream in, its settings out: in grid points, and by channel. */
#include "onwrist_internal.h"

#define LONGEST 86400.0 /* seconds of a hop and of the lateness */

onwrist_stream_options onwrist_stream_defaults(void) {
  onwrist_stream_options options = {0, 2.0, ONWRIST_MODE_DEFAULT, NULL, 0, false};
  return options;
}

static onwrist_status choose_hop(const onwrist_bundle *b, double hop, int step,
                                 onwrist_error *error, int *samples) {
  int whole = b->patch ? b->patch : step;
  if (hop == 0) {
    *samples = whole ? whole : b->samples > 1 ? b->samples / 2 : 1;
    return ONWRIST_OK;
  }
  if (!(hop > 0 && hop <= LONGEST))
    return ow_fail(error, ONWRIST_INPUT,
                   "hop must be a positive number of seconds, at most %g, not %g", LONGEST, hop);
  *samples = (int)fmax(1, rint(hop * b->rate));
  if (whole && *samples % whole)
    return ow_fail(error, ONWRIST_INPUT,
                   "a hop of %g s is not a whole number of %s of %g s: take %g s%s", hop,
                   b->patch ? "patches" : "steps", whole / b->rate,
                   (*samples / whole + 1) * whole / b->rate,
                   b->patch ? "" : ", or the mode of whole windows");
  return ONWRIST_OK;
}

onwrist_status ow_settle(const onwrist_bundle *b, const onwrist_stream_options *options,
                         double *rates, bool *steps, int *hop, onwrist_error *error) {
  bool can_step = ow_graph(b, ONWRIST_STEP_GRAPH, -1) >= 0;
  if (options->mode == ONWRIST_MODE_STEP && !can_step)
    return ow_fail(error, ONWRIST_INPUT,
                   "there is no step graph in %s %s: use the mode of whole windows", b->name,
                   b->version);
  *steps = can_step && options->mode != ONWRIST_MODE_WINDOW;
  if (!(options->lateness >= 0 && options->lateness <= LONGEST))
    return ow_fail(error, ONWRIST_INPUT, "lateness must be from 0 to %g seconds, not %g",
                   LONGEST, options->lateness);
  if (!(fabs(options->midnight) <= OW_LATEST))
    return ow_fail(error, ONWRIST_INPUT, "a midnight must be in seconds, not %g",
                   options->midnight);
  if (options->midnight != 0 && !b->patch)
    return ow_fail(error, ONWRIST_INPUT, "%s %s does not ask for the time of day: leave out "
                                         "midnight", b->name, b->version);
  if (options->impute && !(b->restores || b->interpolated >= 0))
    return ow_fail(error, ONWRIST_INPUT, "%s %s cannot impute: leave out impute", b->name,
                   b->version);
  for (int c = 0; c < b->channel_count; c++) {
    double given = options->rates ? options->rates[c] : 0;
    rates[c] = given == 0 ? b->channels[c].rate : given;
    if (!(rates[c] >= 1e-6 && rates[c] <= 1e5))
      return ow_fail(error, ONWRIST_INPUT, "a rate must be from 1e-06 to 100000 Hz, not %g",
                     rates[c]);
    for (int k = 0; k < c; k++)
      if (b->channels[k].sensor_index == b->channels[c].sensor_index && rates[k] != rates[c])
        return ow_fail(error, ONWRIST_INPUT,
                       "the channels of '%s' share their time stamps, so they have one rate: %g "
                       "or %g Hz?", b->channels[c].sensor, rates[k], rates[c]);
  }
  return choose_hop(b, options->hop, *steps ? b->step_samples : 0, error, hop);
}
