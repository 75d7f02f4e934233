/* The engine on LiteRT's C API: link libLiteRt.so of LiteRT 2.3, or of 2.1 with
   -DONWRIST_LITERT_2_1.

   One graph is one compiled model on the CPU, with a set of tensor buffers for each variant. */
#include "litert_c_api.h"
#include "onwrist.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MOST_TENSORS 300
#define MOST_VARIANTS 16

typedef struct {
  const char *name;
  size_t count;
  LiteRtTensorBuffer buffer;
} port;

typedef struct {
  int size;
  LiteRtParamIndex signature;
  size_t counts[2]; /* inputs, outputs */
  port *ports[2];
  LiteRtTensorBuffer *buffers[2];
} variant;

typedef struct {
  LiteRtEnvironment environment;
  LiteRtModel model;
  LiteRtOptions options;
  LiteRtCompiledModel compiled;
  const char *file;
  int variant_count;
  variant variants[MOST_VARIANTS];
} graph;

static onwrist_status fail(onwrist_error *error, const char *format, ...)
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;

static onwrist_status fail(onwrist_error *error, const char *format, ...) {
  if (error) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
  }
  return ONWRIST_ENGINE;
}

static void close_graph(void *opened) {
  graph *g = opened;
  if (!g) return;
  for (int v = 0; v < g->variant_count; v++) {
    for (int side = 0; side < 2; side++) {
      for (size_t k = 0; g->variants[v].buffers[side] && k < g->variants[v].counts[side]; k++)
        if (g->variants[v].buffers[side][k])
          LiteRtDestroyTensorBuffer(g->variants[v].buffers[side][k]);
      free(g->variants[v].ports[side]);
      free(g->variants[v].buffers[side]);
    }
  }
  if (g->compiled) LiteRtDestroyCompiledModel(g->compiled);
  if (g->options) LiteRtDestroyOptions(g->options);
  if (g->model) LiteRtDestroyModel(g->model);
  if (g->environment) LiteRtDestroyEnvironment(g->environment);
  free(g);
}

/* The buffers of a variant's inputs (side 0) or outputs (side 1). */
static bool open_ports(graph *g, variant *v, LiteRtSignature signature, int side) {
  LiteRtStatus status = side ? LiteRtGetNumSignatureOutputs(signature, &v->counts[side])
                             : LiteRtGetNumSignatureInputs(signature, &v->counts[side]);
  if (status || v->counts[side] > MOST_TENSORS) return false;
  v->ports[side] = calloc(v->counts[side] + 1, sizeof(port));
  v->buffers[side] = calloc(v->counts[side] + 1, sizeof(LiteRtTensorBuffer));
  if (!v->ports[side] || !v->buffers[side]) return false;
  for (size_t k = 0; k < v->counts[side]; k++) {
    port *p = &v->ports[side][k];
    LiteRtTensor tensor = NULL;
    LiteRtRankedTensorType type;
    LiteRtTensorBufferRequirements needs = NULL;
    memset(&type, 0, sizeof type);
    status = side ? LiteRtGetSignatureOutputName(signature, k, &p->name)
                  : LiteRtGetSignatureInputName(signature, k, &p->name);
    if (!status)
      status = side ? LiteRtGetSignatureOutputTensorByIndex(signature, k, &tensor)
                    : LiteRtGetSignatureInputTensorByIndex(signature, k, &tensor);
    if (!status) status = LiteRtGetRankedTensorType(tensor, &type);
    if (status || type.element_type != kLiteRtElementTypeFloat32) return false;
    p->count = 1;
    for (uint32_t d = 0; d < (type.rank & 127) && d < 8; d++) {
      if (type.dimensions[d] < 1) return false;
      p->count *= (size_t)type.dimensions[d];
    }
    status = side ? LiteRtGetCompiledModelOutputBufferRequirements(g->compiled, v->signature, k,
                                                                   &needs)
                  : LiteRtGetCompiledModelInputBufferRequirements(g->compiled, v->signature, k,
                                                                  &needs);
    if (!status)
      status = LiteRtCreateManagedTensorBufferFromRequirements(g->environment, &type, needs,
                                                               &p->buffer);
    if (status) return false;
    v->buffers[side][k] = p->buffer;
  }
  return true;
}

static bool open_variant(graph *g, int size, const char *key) {
  LiteRtParamIndex signatures = 0;
  variant *v = &g->variants[g->variant_count++];
  v->size = size;
  if (LiteRtGetNumModelSignatures(g->model, &signatures)) return false;
  for (LiteRtParamIndex k = 0; k < signatures; k++) {
    LiteRtSignature signature = NULL;
    const char *own = NULL;
    if (LiteRtGetModelSignature(g->model, k, &signature)) return false;
    if (LiteRtGetSignatureKey(signature, &own)) return false;
    if (key && strcmp(key, own)) continue;
    v->signature = k;
    return open_ports(g, v, signature, 0) && open_ports(g, v, signature, 1);
  }
  return false;
}

static onwrist_status open_graph(const onwrist_graph *described, const void *model,
                                 size_t bytes, void **opened, onwrist_error *error) {
  /* No other accelerator is looked for, and nothing but errors is logged. */
  const LiteRtEnvOption asked[] = {
      {kLiteRtEnvOptionTagAutoRegisterAccelerators,
       {kLiteRtAnyTypeInt, {kLiteRtHwAcceleratorCpu}}},
      {kLiteRtEnvOptionTagMinLoggerSeverity, {kLiteRtAnyTypeInt, {kLiteRtLogSeverityError}}},
  };
  graph *g = calloc(1, sizeof *g);
  if (!g) return fail(error, "not enough memory for %s", described->file);
  g->file = described->file;
  LiteRtStatus status = LiteRtCreateEnvironment(2, asked, &g->environment);
#ifdef ONWRIST_LITERT_2_1
  if (!status) status = LiteRtCreateModelFromBuffer(model, bytes, &g->model);
#else
  if (!status) status = LiteRtCreateModelFromBuffer(g->environment, model, bytes, &g->model);
#endif
  if (!status) status = LiteRtCreateOptions(&g->options);
  if (!status) status = LiteRtSetOptionsHardwareAccelerators(g->options, kLiteRtHwAcceleratorCpu);
  if (!status)
    status = LiteRtCreateCompiledModel(g->environment, g->model, g->options, &g->compiled);
  if (status) {
    close_graph(g);
    return fail(error, "LiteRT cannot open %s (status %d): is libLiteRt of version 2.3, or of 2.1 with "
                "ONWRIST_LITERT_2_1 defined?", described->file, status);
  }
  for (int k = 0; k < described->size_count; k++) {
    char key[16];
    snprintf(key, sizeof key, "%d", described->sizes[k]);
    if (k < MOST_VARIANTS &&
        open_variant(g, described->sizes[k], described->size_count > 1 ? key : NULL))
      continue;
    close_graph(g);
    return fail(error, "%s has no variant of size %s in float32 that LiteRT can give buffers to",
                described->file, key);
  }
  *opened = g;
  return ONWRIST_OK;
}

static onwrist_status copy(const graph *g, const variant *v, int side,
                           const onwrist_tensor *tensors, int count, onwrist_error *error) {
  for (int k = 0; k < count; k++) {
    const port *found = NULL;
    void *memory = NULL;
    for (size_t p = 0; p < v->counts[side] && !found; p++)
      if (!strcmp(v->ports[side][p].name, tensors[k].name)) found = &v->ports[side][p];
    if (!found || found->count != tensors[k].count)
      return fail(error, "%s has no %s '%s' of %zu numbers", g->file,
                  side ? "output" : "input", tensors[k].name, tensors[k].count);
    int mode = side ? kLiteRtTensorBufferLockModeRead : kLiteRtTensorBufferLockModeWrite;
    if (LiteRtLockTensorBuffer(found->buffer, &memory, mode) || !memory)
      return fail(error, "LiteRT gives no access to '%s' of %s", tensors[k].name, g->file);
    if (side) memcpy(tensors[k].data, memory, found->count * sizeof(float));
    else memcpy(memory, tensors[k].data, found->count * sizeof(float));
    LiteRtUnlockTensorBuffer(found->buffer);
  }
  return ONWRIST_OK;
}

static onwrist_status run_graph(void *opened, int size, const onwrist_tensor *inputs,
                                int input_count, const onwrist_tensor *outputs,
                                int output_count, onwrist_error *error) {
  graph *g = opened;
  const variant *v = NULL;
  for (int k = 0; k < g->variant_count && !v; k++)
    if (g->variants[k].size == size) v = &g->variants[k];
  if (!v) return fail(error, "%s has no variant of %d", g->file, size);
  if (v->counts[0] != (size_t)input_count)
    return fail(error, "%s takes %zu inputs, not %d", g->file, v->counts[0], input_count);
  onwrist_status status = copy(g, v, 0, inputs, input_count, error);
  if (status) return status;
  LiteRtStatus failed = LiteRtRunCompiledModel(g->compiled, v->signature, v->counts[0],
                                               v->buffers[0], v->counts[1], v->buffers[1]);
  if (failed) return fail(error, "LiteRT failed on %s (status %d)", g->file, failed);
  return copy(g, v, 1, outputs, output_count, error);
}

const onwrist_engine *onwrist_litert(void) {
  static const onwrist_engine ENGINE = {"litert", open_graph, run_graph, close_graph, false};
  return &ENGINE;
}
