/* What TensorFlow Lite's C library of 2022 lacks: signature runners, which are of 2.14. These
   say that there are none. */
#include "tflite_c_api.h"

TfLiteSignatureRunner *TfLiteInterpreterGetSignatureRunner(const TfLiteInterpreter *interpreter,
                                                           const char *key) {
  (void)interpreter;
  (void)key;
  return NULL;
}

TfLiteStatus TfLiteSignatureRunnerAllocateTensors(TfLiteSignatureRunner *runner) {
  return runner == NULL;
}

TfLiteTensor *TfLiteSignatureRunnerGetInputTensor(TfLiteSignatureRunner *runner,
                                                  const char *name) {
  (void)runner;
  (void)name;
  return NULL;
}

const TfLiteTensor *TfLiteSignatureRunnerGetOutputTensor(const TfLiteSignatureRunner *runner,
                                                         const char *name) {
  (void)runner;
  (void)name;
  return NULL;
}

TfLiteStatus TfLiteSignatureRunnerInvoke(TfLiteSignatureRunner *runner) {
  return runner == NULL;
}

void TfLiteSignatureRunnerDelete(TfLiteSignatureRunner *runner) { (void)runner; }
