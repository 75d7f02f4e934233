/* The engine on TensorFlow Lite's C API: link libtensorflowlite_c or TensorFlowLiteC.framework,
   2.14 or later.

   One graph is one interpreter; where it has several variants, each has a signature runner. */
#include "onwrist.h"
#include "tflite_c_api.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_SIZES 16

typedef struct {
  const onwrist_graph *described;
  TfLiteModel *model;
  TfLiteInterpreterOptions *options;
  TfLiteInterpreter *interpreter;
  TfLiteSignatureRunner *runners[MOST_SIZES]; /* by size, where there are several */
} graph;

static onwrist_status fail(onwrist_error *error, const char *what, const char *name,
                           const char *file) {
  if (error)
    snprintf(error->text, sizeof error->text, "TensorFlow Lite %s%s of %s", what, name, file);
  return ONWRIST_ENGINE;
}

static void close_graph(void *opened) {
  graph *g = opened;
  if (!g) return;
  for (int k = 0; k < MOST_SIZES; k++)
    if (g->runners[k]) TfLiteSignatureRunnerDelete(g->runners[k]);
  if (g->interpreter) TfLiteInterpreterDelete(g->interpreter);
  if (g->options) TfLiteInterpreterOptionsDelete(g->options);
  if (g->model) TfLiteModelDelete(g->model);
  free(g);
}

static onwrist_status open_graph(const onwrist_graph *described, const void *model,
                                 size_t bytes, void **opened, onwrist_error *error) {
  graph *g = calloc(1, sizeof *g);
  if (!g) return fail(error, "has no memory for the model", "", described->file);
  g->described = described;
  g->model = TfLiteModelCreate(model, bytes);
  g->options = TfLiteInterpreterOptionsCreate();
  if (g->model && g->options) {
    TfLiteInterpreterOptionsSetNumThreads(g->options, 1);
    g->interpreter = TfLiteInterpreterCreate(g->model, g->options);
  }
  bool made = g->interpreter && described->size_count <= MOST_SIZES;
  if (made && described->size_count == 1)
    made = !TfLiteInterpreterAllocateTensors(g->interpreter);
  for (int k = 0; made && described->size_count > 1 && k < described->size_count; k++) {
    char key[16];
    snprintf(key, sizeof key, "%d", described->sizes[k]);
    g->runners[k] = TfLiteInterpreterGetSignatureRunner(g->interpreter, key);
    made = g->runners[k] && !TfLiteSignatureRunnerAllocateTensors(g->runners[k]);
  }
  if (!made) {
    close_graph(g);
    return fail(error, "cannot open the model", "", described->file);
  }
  *opened = g;
  return ONWRIST_OK;
}

static TfLiteTensor *input_of(graph *g, TfLiteSignatureRunner *runner, const char *name) {
  if (runner) return TfLiteSignatureRunnerGetInputTensor(runner, name);
  int32_t count = TfLiteInterpreterGetInputTensorCount(g->interpreter);
  for (int32_t k = 0; k < count; k++) {
    TfLiteTensor *tensor = TfLiteInterpreterGetInputTensor(g->interpreter, k);
    if (tensor && !strcmp(TfLiteTensorName(tensor), name)) return tensor;
  }
  return NULL;
}

static const TfLiteTensor *output_of(graph *g, TfLiteSignatureRunner *runner, const char *name) {
  if (runner) return TfLiteSignatureRunnerGetOutputTensor(runner, name);
  int32_t count = TfLiteInterpreterGetOutputTensorCount(g->interpreter);
  for (int32_t k = 0; k < count; k++) {
    const TfLiteTensor *tensor = TfLiteInterpreterGetOutputTensor(g->interpreter, k);
    if (tensor && !strcmp(TfLiteTensorName(tensor), name)) return tensor;
  }
  return NULL;
}

static onwrist_status run_graph(void *opened, int size, const onwrist_tensor *inputs,
                                int input_count, const onwrist_tensor *outputs,
                                int output_count, onwrist_error *error) {
  graph *g = opened;
  const onwrist_graph *described = g->described;
  int variant = -1;
  for (int k = 0; k < described->size_count; k++)
    if (described->sizes[k] == size) variant = k;
  if (variant < 0) return fail(error, "has no such variant", "", described->file);
  TfLiteSignatureRunner *runner = g->runners[variant];
  for (int k = 0; k < input_count; k++) {
    TfLiteTensor *tensor = input_of(g, runner, inputs[k].name);
    size_t bytes = inputs[k].count * sizeof(float);
    if (!tensor || TfLiteTensorByteSize(tensor) != bytes ||
        TfLiteTensorCopyFromBuffer(tensor, inputs[k].data, bytes))
      return fail(error, "does not take the input ", inputs[k].name, described->file);
  }
  if (runner ? TfLiteSignatureRunnerInvoke(runner) : TfLiteInterpreterInvoke(g->interpreter))
    return fail(error, "failed on the model", "", described->file);
  for (int k = 0; k < output_count; k++) {
    const TfLiteTensor *tensor = output_of(g, runner, outputs[k].name);
    size_t bytes = outputs[k].count * sizeof(float);
    if (!tensor || TfLiteTensorByteSize(tensor) != bytes ||
        TfLiteTensorCopyToBuffer(tensor, outputs[k].data, bytes))
      return fail(error, "does not give the output ", outputs[k].name, described->file);
  }
  return ONWRIST_OK;
}

const onwrist_engine *onwrist_tflite(void) {
  static const onwrist_engine ENGINE = {"tflite", open_graph, run_graph, close_graph, true};
  return &ENGINE;
}
