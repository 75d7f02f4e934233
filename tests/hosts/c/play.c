/* Windows and pushes in, predictions of a shipped bundle out: words on stdin, JSON on stdout.

     play BUNDLE FOLDER [broken|failing|memory]

   `broken` is an engine that is off by one, `failing` one that fails at every third run;
   `memory` gives the bundle's files from memory. */
#include "bundles.h" /* written by c_host.py: the constants of all bundles */
#include "onwrist.h"
#include "words.h"

static onwrist_engine real;
static bool broken, failing;
static int runs;

static onwrist_status run(void *opened, int size, const onwrist_tensor *inputs, int input_count,
                          const onwrist_tensor *outputs, int output_count,
                          onwrist_error *error) {
  if (failing && ++runs % 3 == 0) {
    snprintf(error->text, sizeof error->text, "it failed on purpose");
    return ONWRIST_ENGINE;
  }
  onwrist_status status =
      real.run(opened, size, inputs, input_count, outputs, output_count, error);
  for (size_t k = 0; broken && !status && k < outputs[0].count; k++) outputs[0].data[k] += 1;
  return status;
}

static void tell_all_floats(const float *numbers, size_t count) {
  if (numbers) TELL_ALL(numbers, count, tell);
  else printf("null");
}

static bool told;

static void tell_prediction(void *context, const onwrist_prediction *given) {
  const onwrist_bundle *b = given->bundle;
  (void)context;
  printf("%s{\"start\":", told ? "," : "");
  told = true;
  tell(given->start);
  printf(",\"end\":");
  tell(given->end);
  printf(",\"coverage\":");
  TELL_ALL(given->coverage, b->channel_count, tell);
  printf(",\"tasks\":[");
  for (int t = 0; t < b->task_count; t++) {
    const onwrist_result *r = &given->tasks[t];
    printf("%s{\"value\":", t ? "," : "");
    tell(r->value);
    printf(",\"confidence\":");
    tell(r->confidence);
    printf(",\"label\":");
    tell_text(r->label);
    printf(",\"probabilities\":");
    tell_all_floats(r->probabilities, (size_t)r->probability_count);
    printf(",\"reason\":");
    tell_text(r->reason);
    printf(",\"abstained\":%s}", r->abstained ? "true" : "false");
  }
  printf("],\"sensors\":[");
  for (int s = 0; s < b->sensor_count; s++) {
    const onwrist_sensor *one = &given->sensors[s];
    printf("%s{\"coverage\":", s ? "," : "");
    tell(one->coverage);
    printf(",\"weight\":");
    tell(one->weight);
    printf(",\"used\":%s,\"reason\":", one->used ? "true" : "false");
    tell_text(one->reason);
    printf("}");
  }
  printf("],\"embedding\":");
  tell_all_floats(given->embedding, (size_t)b->embedding);
  printf(",\"imputed\":");
  tell_all_floats(given->imputed, (size_t)b->channel_count * (size_t)b->samples);
  printf("}");
}

static void tell_status(onwrist_status status, const onwrist_error *error) {
  printf("],\"status\":%d,\"error\":", (int)status);
  tell_text(status ? error->text : NULL);
  printf("}\n");
}

static void window(onwrist_model *model) {
  const onwrist_bundle *b = onwrist_bundle_of(model);
  const onwrist_prediction *given = NULL;
  onwrist_error error = {""};
  double start = number(), midnight = number();
  bool impute = whole() != 0, known = whole() != 0;
  double *baseline = known ? doubles(2 * (size_t)b->channel_count) : NULL;
  onwrist_window asked =
      onwrist_window_of(floats((size_t)b->channel_count * (size_t)b->samples));
  asked.start = start;
  asked.midnight = midnight;
  asked.impute = impute;
  asked.baseline = baseline;
  printf("{\"predictions\":[");
  told = false;
  onwrist_status status = onwrist_predict(model, &asked, &given, &error);
  if (!status) tell_prediction(NULL, given);
  tell_status(status, &error);
  free((void *)asked.values);
  free(baseline);
}

static onwrist_status act(onwrist_stream *stream, onwrist_error *error) {
  switch (*next()) {
    case 'R': onwrist_reset(stream); return ONWRIST_OK;
    case 'F': return onwrist_flush(stream, whole() != 0, tell_prediction, NULL, error);
    default: break;
  }
  char *name = text();
  size_t width = (size_t)whole(), count = (size_t)whole();
  double *times = doubles(count);
  float *samples = floats(count * width);
  onwrist_status status =
      onwrist_push(stream, name, times, samples, count, tell_prediction, NULL, error);
  free(name);
  free(times);
  free(samples);
  return status;
}

static void stream(onwrist_model *model) {
  const onwrist_bundle *b = onwrist_bundle_of(model);
  onwrist_stream_options options = onwrist_stream_defaults();
  onwrist_stream *made = NULL;
  onwrist_error error = {""};
  options.hop = number();
  options.lateness = number();
  options.mode = (onwrist_mode)whole();
  options.midnight = number();
  options.impute = whole() != 0;
  double *rates = doubles((size_t)b->channel_count);
  options.rates = rates;
  onwrist_status status = onwrist_stream_create(model, &options, &made, &error);
  if (status) {
    printf("{\"predictions\":[");
    tell_status(status, &error);
  }
  int actions = whole();
  size_t most = 0;
  for (int a = 0; a < actions && !status; a++) {
    told = false;
    printf("{\"predictions\":[");
    onwrist_status done = act(made, &error);
    if (onwrist_stream_bytes(made) > most) most = onwrist_stream_bytes(made);
    printf("],\"bytes\":[%zu,%zu],\"of\":[", most, onwrist_model_bytes(model));
    tell_status(done, &error);
  }
  free(rates);
  onwrist_stream_free(made);
}

static onwrist_file loaded(const char *folder, const char *name) {
  char path[4096];
  onwrist_file file = {name, NULL, 0};
  snprintf(path, sizeof path, "%s/%s", folder, name);
  FILE *from = fopen(path, "rb");
  if (!from || fseek(from, 0, SEEK_END)) exit(7);
  file.bytes = (size_t)ftell(from);
  void *data = some(file.bytes, 1);
  rewind(from);
  if (fread(data, 1, file.bytes, from) != file.bytes) exit(7);
  fclose(from);
  file.data = data;
  return file;
}

static onwrist_status from_memory(const onwrist_bundle *bundle, const onwrist_engine *engine,
                                  const char *folder, onwrist_model **model,
                                  onwrist_report *report, onwrist_error *error) {
  onwrist_file files[32];
  for (int g = 0; g < bundle->graph_count; g++)
    files[g] = loaded(folder, bundle->graphs[g].file);
  onwrist_file golden = loaded(folder, bundle->golden.file);
  onwrist_status status =
      onwrist_open_files(bundle, engine, files, bundle->graph_count - 1, model, error);
  /* One was left out. */
  if (status != ONWRIST_BUNDLE || *model) exit(8);
  status = onwrist_open_files(bundle, engine, files, bundle->graph_count, model, error);
  if (!status && onwrist_verify(*model, NULL, 0, NULL, error) != ONWRIST_INPUT) exit(9);
  if (!status) status = onwrist_verify(*model, golden.data, golden.bytes, report, error);
  return status;
}

int main(int count, char **arguments) {
  const onwrist_bundle *bundle = NULL;
  onwrist_model *model = NULL;
  onwrist_error error = {""};
  onwrist_report report = {0};
  if (count < 3) return 2;
  for (size_t k = 0; k < sizeof BUNDLES / sizeof *BUNDLES; k++)
    if (!strcmp(BUNDLES[k]->name, arguments[1])) bundle = BUNDLES[k];
  real = *SELFTEST_ENGINE();
  onwrist_engine engine = real;
  engine.run = run;
  broken = count > 3 && !strcmp(arguments[3], "broken");
  onwrist_status status;
  if (count > 3 && !strcmp(arguments[3], "memory")) {
    status = from_memory(bundle, &engine, arguments[2], &model, &report, &error);
  } else {
    status = onwrist_open(bundle, &engine, arguments[2], &model, &error);
    if (!status) status = onwrist_verify(model, NULL, 0, &report, &error);
  }
  printf("{\"passed\":%s,\"loose\":%s,\"differences\":", report.passed ? "true" : "false",
         report.loose ? "true" : "false");
  TELL_ALL(report.difference, report.output_count, tell);
  printf(",\"steps\":");
  TELL_ALL(report.step_difference, report.output_count, tell);
  printf(",\"patches\":%d,\"predictions\":[", report.patches);
  tell_status(status, &error);
  failing = count > 3 && !strcmp(arguments[3], "failing");
  while (!status) {
    switch (*next()) {
      case 'W': window(model); break;
      case 'T': stream(model); break;
      case '.': onwrist_close(model); return 0;
      default: return 2;
    }
  }
  onwrist_close(model);
  return 1;
}
