// What runs one graph: inputs by name in, outputs by name out, all float32.
package dev.onwrist

/** Numbers row by row, and their shape. */
class Tensor(val data: FloatArray, val shape: IntArray) {
    init {
        val size = shape.fold(1) { product, length -> product * length }
        if (size != data.size) {
            throw InputError("a tensor of shape ${shape.toList()} has $size numbers, not ${data.size}")
        }
    }

    internal companion object {
        fun of(number: Float): Tensor = Tensor(floatArrayOf(number), intArrayOf(1, 1))
    }
}

/** One opened graph. */
interface Engine : AutoCloseable {
    /**
     * The outputs of these inputs, in arrays that the engine will not write again.
     *
     * @param signature which of the file's signatures is run; null for a file of one size,
     *   which has none.
     */
    fun run(inputs: Map<String, Tensor>, signature: String?): Map<String, Tensor>

    override fun close() {}
}

/** Opens the bytes of a model file; the name is for messages. */
fun interface OpenEngine {
    fun open(name: String, content: ByteArray): Engine
}

/** Gives the bytes of a file of the bundle, such as an asset of the app. */
fun interface Files {
    fun read(name: String): ByteArray
}
