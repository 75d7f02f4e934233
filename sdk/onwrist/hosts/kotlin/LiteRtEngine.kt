// The engine of an Android app: LiteRT's Interpreter, from the library
// com.google.ai.edge.litert:litert. The only file of the host that needs it.
package dev.onwrist

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.FloatBuffer
import org.tensorflow.lite.Interpreter

/** Opens graphs in LiteRT on the CPU, each with so many threads. */
class LiteRt(private val threads: Int = 1) : OpenEngine {
    override fun open(name: String, content: ByteArray): Engine = LiteRtEngine(name, content, threads)
}

private class LiteRtEngine(
    private val name: String,
    content: ByteArray,
    threads: Int,
) : Engine {
    private val interpreter: Interpreter = attempt("open") {
        // Only a direct buffer is taken, and the interpreter reads it for as long as it lives.
        val model = ByteBuffer.allocateDirect(content.size).order(ByteOrder.nativeOrder())
        model.put(content)
        Interpreter(model, Interpreter.Options().setNumThreads(threads))
    }

    // An interpreter has one set of tensors, so calls from several threads take turns.
    @Synchronized
    override fun run(inputs: Map<String, Tensor>, signature: String?): Map<String, Tensor> =
        attempt("run") { if (signature == null) runWhole(inputs) else runSigned(inputs, signature) }

    @Synchronized
    override fun close() = interpreter.close()

    /** A file of one size, whose tensors are found by their own names. */
    private fun runWhole(inputs: Map<String, Tensor>): Map<String, Tensor> {
        val given = Array<Any>(interpreter.inputTensorCount) { index ->
            FloatBuffer.wrap(inputs.getValue(interpreter.getInputTensor(index).name()).data)
        }
        val outputs = (0 until interpreter.outputTensorCount).associate { index ->
            val tensor = interpreter.getOutputTensor(index)
            index to (tensor.name() to Tensor(FloatArray(tensor.numElements()), tensor.shape()))
        }
        interpreter.runForMultipleInputsOutputs(
            given,
            outputs.mapValues { (_, named) -> FloatBuffer.wrap(named.second.data) },
        )
        return outputs.values.toMap()
    }

    private fun runSigned(inputs: Map<String, Tensor>, signature: String): Map<String, Tensor> {
        val outputs = interpreter.getSignatureOutputs(signature).associateWith { output ->
            val tensor = interpreter.getOutputTensorFromSignature(output, signature)
            Tensor(FloatArray(tensor.numElements()), tensor.shape())
        }
        interpreter.runSignature(
            inputs.mapValues { (_, tensor) -> FloatBuffer.wrap(tensor.data) },
            outputs.mapValues { (_, tensor) -> FloatBuffer.wrap(tensor.data) },
            signature,
        )
        return outputs
    }

    /** LiteRT fails with several kinds of unchecked exceptions. */
    private fun <T> attempt(what: String, work: () -> T): T = try {
        work()
    } catch (error: RuntimeException) {
        throw EngineError("LiteRT cannot $what $name: ${error.message}", error)
    } catch (error: LinkageError) {
        throw EngineError(
            "LiteRT's library is not in this app for this processor (${error.message}): add " +
                "com.google.ai.edge.litert:litert, and its ABI if the app filters them",
            error,
        )
    }
}
