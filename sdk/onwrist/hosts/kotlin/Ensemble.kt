// The graphs of sensors that are fused: a window in, all outputs out. The encoder of a sensor
// runs only where the sensor is live; one more graph answers from what the encoders gave, and
// another restores the signals of all sensors if it is asked.
package dev.onwrist

internal class Ensemble(
    private val fusion: Fusion,
    private val rows: List<IntArray>,
    private val senses: List<Engine>,
    private val fuse: Engine,
    private val decode: Engine?,
) {
    /** The outputs of a window, some sensor of which is live. */
    fun window(
        window: Window,
        live: BooleanArray,
        scales: Map<String, Tensor>,
        impute: Boolean,
    ): Map<String, Tensor> {
        val size = fusion.tokens * fusion.width
        val sensed = FloatArray(senses.size * size)
        for (k in senses.indices) {
            if (!live[k]) continue
            val own = window.rows(rows[k])
            val inputs = mapOf("values" to own.valuesTensor(), "observed" to own.observedTensor())
            senses[k].run(inputs, null).getValue("sensed").data.copyInto(sensed, k * size)
        }
        val inputs = mapOf(
            "sensed" to Tensor(sensed, intArrayOf(1, senses.size * fusion.tokens, fusion.width)),
            "live" to Tensor(FloatArray(live.size) { if (live[it]) 1f else 0f }, intArrayOf(1, live.size)),
        )
        val outputs = fuse.run(inputs + scales, null)
        if (!impute) return outputs
        val imputed = checkNotNull(decode).run(inputs, null).getValue("imputed")
        return outputs + ("imputed" to imputed)
    }
}
