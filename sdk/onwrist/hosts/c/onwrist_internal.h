/* What the pieces of the C host share; no app needs it.

   samples (onwrist_arrivals.c) -> timeline (onwrist_timeline.c; onwrist_grid.c, onwrist_days.c)
   -> windows (onwrist_stream.c) -> graphs (onwrist_run.c) -> prediction (onwrist_decision.c) */
#ifndef ONWRIST_INTERNAL_H
#define ONWRIST_INTERNAL_H

#include "onwrist.h"

#include <math.h>

/* The grid is computed by the same elementary operations as in every other host: a compiler must
   not fuse them. GCC does so in its own dialects only: build with -std=c99 or later. */
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#endif

#define OW_SAME_TIME 1e-6       /* seconds; stamps on the Unix epoch step by 0.24 us */
#define OW_LARGEST 1e15f        /* magnitude from which a number is refused */
#define OW_LATEST 1e11          /* seconds: the year 5138 */
#define OW_LONGEST (366 * 86400.0) /* seconds between stamps of one clock */
#define OW_HISTORY 14           /* samples before one that tell where its stamp should be */
#define OW_CHANNELS 256         /* at most, as in the bundle's format */

typedef int64_t ow_index; /* of grid points, counted from time 0 */

/* ---- Memory and errors ---- */

typedef struct ow_block ow_block;
typedef struct {
  ow_block *first;
  size_t bytes;
} ow_memory;

/* Zeroed memory that lives as long as its owner; NULL if there is none left. */
void *ow_alloc(ow_memory *memory, size_t count, size_t size);
void *ow_grow(ow_memory *memory, void *old, size_t bytes);
void ow_free_all(ow_memory *memory);

/* Write a message (as printf) and give the status back. */
onwrist_status ow_fail(onwrist_error *error, onwrist_status status, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 3, 4)))
#endif
    ;

/* What is said of a model or stream that was not opened. */
onwrist_status ow_no_model(onwrist_error *error);

/* ---- The resampler (onwrist_grid.c) ---- */

typedef struct {
  double rate, grid_rate; /* of the samples and of the grid, Hz */
  bool slow;              /* straight lines, as the samples are slower than half the grid */
  double half_width;      /* the kernel, seconds to each side */
  double start_twice, scale_half;
  double *table; /* running integral of the kernel; its last two entries are all of it */
  size_t entries;
} ow_kernel;

double ow_reach(double rate, double grid_rate);
bool ow_kernel_make(ow_kernel *kernel, ow_memory *memory, double rate, double grid_rate);
/* How many of the stamps from `from` on are off their line. */
size_t ow_strays(const double *times, size_t n, size_t from, double rate, double *off);

/* `rows` channels (row r at values + r * stride, none NaN) at grid points first ... : `out` and
   `observed` of row r begin at out + r * out_stride. `scratch` holds n doubles. */
void ow_resample(const ow_kernel *kernel, const double *times, const float *values,
                 size_t stride, int rows, size_t n, ow_index first, int count, double *scratch,
                 float *out, uint8_t *observed, size_t out_stride);
/* First index whose time is at or after `time`; with `after`, after it. */
size_t ow_search(const double *times, size_t n, double time, bool after);

/* ---- Minutes and tokens (onwrist_days.c) ---- */

typedef struct {
  double period, zero; /* seconds; when interval 0 begins */
} ow_minutes;

double ow_minutes_start(const ow_minutes *minutes, ow_index interval);
ow_index ow_minutes_holding(const ow_minutes *minutes, double time);
void ow_aggregate(const ow_minutes *minutes, const double *times, const float *values, size_t n,
                  bool sums, ow_index first, int count, float *out, uint8_t *observed);
/* Which tokens of `patches` patches there are: observed row r at observed + r * stride. */
int ow_present(const onwrist_bundle *bundle, const uint8_t *observed, size_t stride,
               int patches, uint8_t *present);
/* The smallest size that holds `tokens`, and the slots of its rows, -1 where left over. */
int ow_slots(const onwrist_bundle *bundle, const uint8_t *present, int count, int tokens,
             int *slots);
void ow_nearest(const uint8_t *observed, int count, float *before, float *after);
/* The patch of the local day with which a window begins; -1 if it begins at none. */
int ow_clock(double start, double midnight, double period, int patch, int patches);
ow_index ow_modulo(ow_index a, ow_index b);
ow_index ow_floor_div(ow_index a, ow_index b);

/* ---- The timeline (onwrist_timeline.c) ---- */

typedef struct {
  int rows[OW_CHANNELS], row_count; /* of the window */
  double rate;
  bool minutes; /* whether samples are put together, not resampled */
  double reach, run;
  double limit_seconds;
  size_t limit_samples;
  ow_kernel kernel;
  double *times; /* from `begin` to `end`, strictly increasing */
  float *values; /* row r at values + r * capacity, NaN where a channel has no sample */
  size_t begin, end, capacity;
  double last; /* the newest stamp that was ever here; -inf before the first */
} ow_sensor;

typedef struct {
  onwrist_counters counters;
  double last; /* NaN before the first sample */
} ow_tally;

typedef struct {
  const onwrist_bundle *bundle;
  ow_memory *memory;
  ow_sensor *sensors;
  int sensor_count;
  ow_tally *tallies; /* by channel */
  double lateness;
  bool days;
  ow_minutes minutes;
  int whole; /* days: the origin is a multiple of so many minutes */
  double newest, repaired_to, reach;
  bool has_origin, finished;
  ow_index origin;
  ow_index least; /* once finished, so many grid points are final */
  double *scratch, *row_times;
  float *row_values;
  size_t scratch_count;
} ow_timeline;

onwrist_status ow_timeline_make(ow_timeline *timeline, const onwrist_bundle *bundle,
                                ow_memory *memory, const double *rates, double lateness,
                                double midnight, int hop, onwrist_error *error);
void ow_timeline_reset(ow_timeline *timeline);
/* Everything that is pushed is checked before any of it is taken (onwrist_arrivals.c). */
onwrist_status ow_timeline_check(const ow_timeline *timeline, const ow_sensor *sensor,
                                 const char *name, const double *times, const float *samples,
                                 int width, size_t count, onwrist_error *error);
bool ow_timeline_take(ow_timeline *timeline, ow_sensor *sensor, int axis, const double *times,
                      const float *samples, int width, size_t count);
void ow_timeline_finish(ow_timeline *timeline, ow_index least);
void ow_timeline_settle(ow_timeline *timeline);
ow_index ow_timeline_final(const ow_timeline *timeline);
/* Grid points first ... of all channels, row r at values + r * stride. */
bool ow_timeline_resample(ow_timeline *timeline, ow_index first, int count, float *values,
                          uint8_t *observed, size_t stride);
bool ow_timeline_forget(ow_timeline *timeline, ow_index first);
bool ow_timeline_count_rest(ow_timeline *timeline);

/* What is asked of a stream (onwrist_settings.c): native rates, whether it goes by steps, hop. */
onwrist_status ow_settle(const onwrist_bundle *bundle, const onwrist_stream_options *options,
                         double *rates, bool *steps, int *hop, onwrist_error *error);

/* ---- The baseline (onwrist_baseline.c) ---- */

typedef struct {
  int channels, samples;
  double kept, least;
  double *state; /* (3, channels): weight, mean, sum of squares */
} ow_baseline;

/* Take one block, row r at values + r * stride. */
void ow_baseline_update(ow_baseline *baseline, const float *values, const uint8_t *observed,
                        size_t stride);
void ow_baseline_usual(const ow_baseline *baseline, double *usual);
/* The graph's input (channels, 3) from mean and scale (channels, 2). */
void ow_baseline_input(const double *usual, int channels, float *input);

/* ---- A window's situation and decision (onwrist_decision.c) ---- */

#define OW_REASON 256 /* characters of why a sensor is not used */

typedef struct {
  double *coverage;           /* by channel */
  double *shares;             /* by sensor */
  uint8_t *live;              /* by sensor */
  char (*left_out)[OW_REASON]; /* by sensor: why it is not believed; empty if it is */
  bool doubted;               /* whether any is not believed */
  const onwrist_pattern *pattern; /* NULL where the live sensors' is not listed */
  float *scales;              /* by task */
} ow_situation;

/* From how many grid points of each channel were observed; `left_out` is given. */
void ow_situate(const onwrist_bundle *bundle, const int *counts, ow_situation *situation);
bool ow_any_live(const onwrist_bundle *bundle, const ow_situation *situation);
/* The result of a task; `output` is NULL where no graph was run, `usable` by channel. */
void ow_decide(const onwrist_bundle *bundle, int task, const float *output,
               const double *usable, const ow_situation *situation, char *reason,
               size_t reason_size, onwrist_result *result);
void ow_tell_sensor(const onwrist_bundle *bundle, int sensor, const float *weights,
                    const ow_situation *situation, char *reason, size_t reason_size,
                    onwrist_sensor *told);
size_t ow_reason_size(const onwrist_bundle *bundle, const onwrist_task *task);

/* ---- Plausibility (onwrist_plausible.c) ---- */

/* Why sensors of a window (channels, samples) cannot be believed; empty where they can. */
void ow_implausible(const onwrist_bundle *bundle, const float *values, const uint8_t *observed,
                    float *scratch, char (*reasons)[OW_REASON]);
size_t ow_plausible_scratch(const onwrist_bundle *bundle); /* floats */

/* ---- A model (onwrist_model.c, onwrist_run.c) ---- */

struct onwrist_model {
  const onwrist_bundle *bundle;
  const onwrist_engine *engine;
  ow_memory memory;
  char *folder;
  void **opened; /* by graph */
  void **owned;  /* by graph: bytes that were read from the folder */
  double period; /* days: seconds from one grid point to the next */
  int patches, tokens;
  /* What graphs take and give. */
  float *values, *ones, *baseline, *state, *next_state, *embedding, *imputed;
  uint8_t *observed;
  float **outputs;      /* by task */
  int *output_counts;
  const char **scale_names;
  float *sensed, *live, *weights, *sense_values, *sense_ones;
  float *embedded, *rows, *slot_rows, *clock, *encoded, *placed, *present_ones;
  float *before, *after;
  uint8_t *present;
  int *slots;
  float *scratch;
  onwrist_tensor *inputs, *given;
  ow_situation situation;
  double *usable;
  int *counts;
  /* What is said of it. */
  onwrist_result *results;
  onwrist_sensor *sensors;
  char **task_reasons, **sensor_reasons;
  size_t *task_reason_sizes;
  uint8_t *believed;
  onwrist_prediction prediction;
};

/* The graph of a role, and of a sensor where it senses; -1 if there is none. */
int ow_graph(const onwrist_bundle *bundle, onwrist_role role, int sensor);
/* Fill situation from model->observed; `judge` asks what is plausible first. */
void ow_look(onwrist_model *model, bool judge);
/* Copy a window, row r at values + r * stride, into the model. */
void ow_load(onwrist_model *model, const float *values, const uint8_t *observed, size_t stride);
/* Run the graphs of the window that was loaded and looked at; false in `ran` if none was. */
onwrist_status ow_run_window(onwrist_model *model, bool impute, int clock, bool *ran,
                             onwrist_error *error);
/* One step: values and ones hold (channels, step_samples), the state goes on. */
onwrist_status ow_run_step(onwrist_model *model, onwrist_error *error);
/* Tokens of `size` grid points (a patch or a day), which model->values and ones hold. */
onwrist_status ow_embed(onwrist_model *model, int size, float *tokens, onwrist_error *error);
/* The answer from the tokens of a day, and what was loaded. */
onwrist_status ow_answer_day(onwrist_model *model, const float *tokens, int there, int clock,
                             bool impute, onwrist_error *error);
/* The prediction of the window that was loaded, looked at and run. */
const onwrist_prediction *ow_predicted(onwrist_model *model, bool ran, bool imputed,
                                       double start);
onwrist_status ow_read_file(const char *folder, const char *file, void **data, size_t *bytes,
                            onwrist_error *error);

#endif
