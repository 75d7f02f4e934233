// The part of LiteRT's Java API that the host calls, over the C API of libLiteRt.so, so that
// the host's own engine runs real graphs on a JVM. Method by method it takes and gives what
// org.tensorflow.lite.Interpreter does on Android.
package org.tensorflow.lite

import com.sun.jna.Library
import com.sun.jna.Memory
import com.sun.jna.Native
import com.sun.jna.Pointer
import com.sun.jna.ptr.LongByReference
import com.sun.jna.ptr.PointerByReference
import java.nio.ByteBuffer
import java.nio.FloatBuffer

private const val ALIGNMENT = 64
private const val TYPE_BYTES = 128L // a ranked tensor type has 72
private const val CPU = 1

@Suppress("FunctionName")
private interface LiteRtC : Library {
    fun LiteRtCreateEnvironment(count: Int, options: Pointer?, found: PointerByReference): Int
    fun LiteRtCreateModelFromBuffer(
        environment: Pointer, content: Pointer, size: Long, found: PointerByReference,
    ): Int
    fun LiteRtCreateOptions(found: PointerByReference): Int
    fun LiteRtSetOptionsHardwareAccelerators(options: Pointer, set: Int): Int
    fun LiteRtCreateCompiledModel(
        environment: Pointer, model: Pointer, options: Pointer, found: PointerByReference,
    ): Int
    fun LiteRtGetNumModelSignatures(model: Pointer, count: LongByReference): Int
    fun LiteRtGetModelSignature(model: Pointer, index: Long, found: PointerByReference): Int
    fun LiteRtGetSignatureKey(signature: Pointer, key: PointerByReference): Int
    fun LiteRtGetNumSignatureInputs(signature: Pointer, count: LongByReference): Int
    fun LiteRtGetSignatureInputName(signature: Pointer, index: Long, name: PointerByReference): Int
    fun LiteRtGetSignatureInputTensorByIndex(
        signature: Pointer, index: Long, found: PointerByReference,
    ): Int
    fun LiteRtGetNumSignatureOutputs(signature: Pointer, count: LongByReference): Int
    fun LiteRtGetSignatureOutputName(signature: Pointer, index: Long, name: PointerByReference): Int
    fun LiteRtGetSignatureOutputTensorByIndex(
        signature: Pointer, index: Long, found: PointerByReference,
    ): Int
    fun LiteRtGetRankedTensorType(tensor: Pointer, type: Pointer): Int
    fun LiteRtCreateTensorBufferFromHostMemory(
        type: Pointer, memory: Pointer, size: Long, free: Pointer?, found: PointerByReference,
    ): Int
    fun LiteRtRunCompiledModel(
        compiled: Pointer, signature: Long, inputs: Long, input: Array<Pointer>,
        outputs: Long, output: Array<Pointer>,
    ): Int
    fun LiteRtDestroyCompiledModel(compiled: Pointer)
    fun LiteRtDestroyModel(model: Pointer)
}

private val library: LiteRtC by lazy { Native.load("LiteRt", LiteRtC::class.java) }
private val environment: Pointer by lazy {
    made { library.LiteRtCreateEnvironment(0, null, it) }
}

private fun check(status: Int) {
    if (status != 0) throw IllegalArgumentException("LiteRT status $status")
}

private fun made(make: (PointerByReference) -> Int): Pointer =
    PointerByReference().also { check(make(it)) }.value

private fun count(of: (LongByReference) -> Int): Int =
    LongByReference().also { check(of(it)) }.value.toInt()

private fun text(of: (PointerByReference) -> Int): String = made(of).getString(0)

class Tensor internal constructor(private val name: String, tensor: Pointer) {
    private val type = Memory(TYPE_BYTES).also { check(library.LiteRtGetRankedTensorType(tensor, it)) }
    private val shape: IntArray
    private val memory: Pointer
    private val keeper: Memory
    internal val buffer: Pointer

    init {
        // A type is the element, then seven bits of rank, then the dimensions.
        val rank = type.getInt(4) and 0x7f
        shape = IntArray(rank) { type.getInt(8 + 4L * it) }
        require(type.getInt(0) == 1) { "$name is not float32" }
        keeper = Memory(numBytes() + 2L * ALIGNMENT)
        memory = keeper.align(ALIGNMENT)
        buffer = made {
            library.LiteRtCreateTensorBufferFromHostMemory(type, memory, numBytes().toLong(), null, it)
        }
    }

    fun name(): String = name

    fun shape(): IntArray = shape.copyOf()

    fun numElements(): Int = shape.fold(1) { product, length -> product * length }

    fun numBytes(): Int = numElements() * Float.SIZE_BYTES

    internal fun take(given: Any) {
        val numbers = given as FloatBuffer
        require(numbers.remaining() == numElements()) {
            "$name takes ${numElements()} numbers, not ${numbers.remaining()}"
        }
        memory.write(0, FloatArray(numElements()).also { numbers.duplicate().get(it) }, 0, numElements())
    }

    internal fun give(into: Any) {
        val numbers = into as FloatBuffer
        require(numbers.remaining() == numElements()) { "$name gives ${numElements()} numbers" }
        numbers.duplicate().put(memory.getFloatArray(0, numElements()))
    }
}

private class Signature(val index: Int, pointer: Pointer) {
    val key = text { library.LiteRtGetSignatureKey(pointer, it) }
    val inputs = List(count { library.LiteRtGetNumSignatureInputs(pointer, it) }) { k ->
        val name = text { library.LiteRtGetSignatureInputName(pointer, k.toLong(), it) }
        Tensor(name, made { library.LiteRtGetSignatureInputTensorByIndex(pointer, k.toLong(), it) })
    }
    val outputs = List(count { library.LiteRtGetNumSignatureOutputs(pointer, it) }) { k ->
        val name = text { library.LiteRtGetSignatureOutputName(pointer, k.toLong(), it) }
        Tensor(name, made { library.LiteRtGetSignatureOutputTensorByIndex(pointer, k.toLong(), it) })
    }
}

class Interpreter(content: ByteBuffer, @Suppress("UNUSED_PARAMETER") options: Options) : AutoCloseable {
    class Options {
        private var threads = 1

        fun setNumThreads(count: Int): Options = apply { threads = count }
    }

    private val bytes = Memory(content.capacity().toLong()).also { memory ->
        require(content.isDirect) { "a model is a direct buffer" }
        val copy = ByteArray(content.capacity())
        content.duplicate().apply { rewind() }.get(copy)
        memory.write(0, copy, 0, copy.size)
    }
    private val model = made {
        library.LiteRtCreateModelFromBuffer(environment, bytes, bytes.size(), it)
    }
    private val compiled = made { found ->
        val set = made { library.LiteRtCreateOptions(it) }
        check(library.LiteRtSetOptionsHardwareAccelerators(set, CPU))
        library.LiteRtCreateCompiledModel(environment, model, set, found)
    }
    private val signatures = List(count { library.LiteRtGetNumModelSignatures(model, it) }) { k ->
        Signature(k, made { library.LiteRtGetModelSignature(model, k.toLong(), it) })
    }

    val inputTensorCount: Int get() = signatures[0].inputs.size
    val outputTensorCount: Int get() = signatures[0].outputs.size

    fun getInputTensor(index: Int): Tensor = signatures[0].inputs[index]

    fun getOutputTensor(index: Int): Tensor = signatures[0].outputs[index]

    fun getSignatureOutputs(key: String): Array<String> =
        signed(key).outputs.map { it.name() }.toTypedArray()

    fun getOutputTensorFromSignature(name: String, key: String): Tensor =
        signed(key).outputs.first { it.name() == name }

    fun runForMultipleInputsOutputs(inputs: Array<Any>, outputs: Map<Int, Any>) {
        for ((k, tensor) in signatures[0].inputs.withIndex()) tensor.take(inputs[k])
        run(signatures[0])
        for ((k, into) in outputs) signatures[0].outputs[k].give(into)
    }

    fun runSignature(inputs: Map<String, Any>, outputs: Map<String, Any>, key: String) {
        val signature = signed(key)
        for (tensor in signature.inputs) {
            tensor.take(requireNotNull(inputs[tensor.name()]) { "there is no input ${tensor.name()}" })
        }
        run(signature)
        for (tensor in signature.outputs) outputs[tensor.name()]?.let(tensor::give)
    }

    override fun close() {
        library.LiteRtDestroyCompiledModel(compiled)
        library.LiteRtDestroyModel(model)
    }

    private fun signed(key: String): Signature =
        requireNotNull(signatures.find { it.key == key }) { "there is no signature $key" }

    private fun run(signature: Signature) {
        val inputs = signature.inputs.map { it.buffer }.toTypedArray()
        val outputs = signature.outputs.map { it.buffer }.toTypedArray()
        check(
            library.LiteRtRunCompiledModel(
                compiled, signature.index.toLong(), inputs.size.toLong(), inputs,
                outputs.size.toLong(), outputs,
            ),
        )
    }
}
