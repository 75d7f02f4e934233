// A safetensors file in, its tensors out: the golden vectors of a bundle.
package dev.onwrist

import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val LENGTH = 8 // bytes that tell how long the header is

/** The golden vectors, by name; the first dimension counts windows or steps. */
internal class Golden(private val file: String, content: ByteArray) {
    private val bytes = ByteBuffer.wrap(content).order(ByteOrder.LITTLE_ENDIAN)
    private val data: Int
    private val header: Map<*, *>

    init {
        val size = if (content.size < LENGTH) -1 else bytes.getLong(0)
        if (size < 0 || size > content.size - LENGTH) {
            throw BundleError("$file cannot be read: it is not as long as its header says")
        }
        data = LENGTH + size.toInt()
        val text = String(content, LENGTH, size.toInt(), Charsets.UTF_8)
        header = Json.read(text) as? Map<*, *> ?: throw BundleError("$file cannot be read: no header")
    }

    /** One entry of a tensor of float32, or of uint8 as 0 and 1, that must have so many numbers. */
    fun entry(name: String, index: Int, size: Int): FloatArray {
        val tensor = header[name] as? Map<*, *> ?: throw BundleError("$file has no tensor '$name'")
        val offsets = numbers(name, tensor["data_offsets"])
        val shape = numbers(name, tensor["shape"])
        val width = when (tensor["dtype"]) {
            "F32" -> Float.SIZE_BYTES
            "U8" -> 1
            else -> throw BundleError("$file: '$name' is ${tensor["dtype"]}, not float32 or uint8")
        }
        val count = shape.fold(1L) { product, length -> product * length }
        val fits = offsets.size == 2 && offsets[0] >= 0 && offsets[1] <= bytes.capacity() - data &&
            offsets[1] - offsets[0] == count * width
        if (!fits || shape.isEmpty() || shape[0] <= index || count != shape[0] * size) {
            throw BundleError("$file: '$name' of shape $shape is not of entries of $size numbers")
        }
        val begin = data + offsets[0].toInt() + index * size * width
        return FloatArray(size) {
            if (width == 1) bytes.get(begin + it).toFloat() else bytes.getFloat(begin + it * width)
        }
    }

    private fun numbers(name: String, given: Any?): List<Long> =
        (given as? List<*>)?.map { (it as? Double)?.toLong() ?: -1 }
            ?: throw BundleError("$file: '$name' is not described as it must be")
}
