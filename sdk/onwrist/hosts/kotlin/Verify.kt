// Proof that an engine gives a bundle's numbers on this processor: golden windows, and the
// golden steps of one stream, go through it and are held against what they must give.
package dev.onwrist

import kotlin.math.abs

/**
 * How far the engine is from the golden vectors.
 *
 * @property differences largest absolute difference, by output.
 * @property tolerances the most that the bundle allows, by output.
 */
class Verification internal constructor(
    val windows: Int,
    val steps: Int,
    val differences: Map<String, Double>,
    val tolerances: Map<String, Double>,
) {
    // Written so that a difference that is NaN does not pass.
    val passed: Boolean get() = tolerances.all { (name, most) -> differences.getValue(name) <= most }

    override fun toString(): String = tolerances.entries.joinToString { (name, most) ->
        "$name ${significant(differences.getValue(name), 3)} (at most ${significant(most, 3)})"
    }
}

/** Replays golden vectors of the TFLite graphs of a bundle. */
internal class Replay(private val manifest: Manifest, private val golden: Golden) {
    private val patterns = Patterns(manifest)
    private val channels = manifest.channels.size
    private val differences = LinkedHashMap<String, Double>()
    private val tolerances = LinkedHashMap(manifest.golden.tolerance)

    fun verification(steps: Int): Verification =
        Verification(manifest.golden.windows, steps, differences, tolerances)

    /** Windows through one graph. */
    fun windows(engine: Engine) = each { window, inputs, situation ->
        val given = mapOf("values" to window.valuesTensor(), "observed" to window.observedTensor())
        engine.run(given + inputs + situation.scales, null)
    }

    /** Windows through the graphs of fused sensors, restoring included. */
    fun fused(ensemble: Ensemble) = each { window, _, situation ->
        if (situation.live.none { it }) {
            throw BundleError("${manifest.golden.file} has a window in which no sensor is live")
        }
        ensemble.window(window, situation.live, situation.scales, manifest.imputes)
    }

    /** Days; besides, each patch on its own must give the tokens of the day to the bit. */
    fun days(chain: Chain) {
        tolerances["tokens"] = 0.0
        for (index in 0 until manifest.golden.windows) {
            val day = window("", index, manifest.samples)
            val clock = golden.entry("clock", index, 1)[0].toInt()
            val outputs = chain.window(day, clock, manifest.imputes)
                ?: throw BundleError("${manifest.golden.file} has a day without a token")
            compare(outputs, "", index)
            differences["tokens"] = maxOf(differences["tokens"] ?: 0.0, patchesOff(chain, day))
        }
    }

    /** Steps of one stream, from the first state on. */
    fun steps(engine: Engine) {
        val step = manifest.step ?: return
        var state = Tensor(FloatArray(step.state), intArrayOf(1, step.state))
        var seen = Window(channels, manifest.samples)
        for (index in 0 until manifest.golden.steps) {
            val fresh = window("step/", index, step.samples)
            seen = seen.followedBy(fresh).part(step.samples, manifest.samples)
            val outputs = engine.run(
                mapOf(
                    "values" to fresh.valuesTensor(),
                    "observed" to fresh.observedTensor(),
                    "state" to state,
                ) + baseline("step/", index) + patterns.of(seen.counts()).scales,
                null,
            )
            compare(outputs, "step/", index)
            state = outputs.getValue("next_state")
        }
    }

    private fun each(run: (Window, Map<String, Tensor>, Situation) -> Map<String, Tensor>) {
        for (index in 0 until manifest.golden.windows) {
            val window = window("", index, manifest.samples)
            compare(run(window, baseline("", index), patterns.of(window.counts())), "", index)
        }
    }

    private fun window(part: String, index: Int, samples: Int): Window {
        val size = channels * samples
        val observed = golden.entry("${part}observed", index, size)
        return Window(
            channels,
            samples,
            golden.entry("${part}values", index, size),
            BooleanArray(size) { observed[it] > 0 },
        )
    }

    private fun baseline(part: String, index: Int): Map<String, Tensor> {
        if (manifest.baseline == null) return emptyMap()
        val numbers = golden.entry("${part}baseline", index, channels * 3)
        return mapOf("baseline" to Tensor(numbers, intArrayOf(1, channels, 3)))
    }

    private fun compare(outputs: Map<String, Tensor>, part: String, index: Int) {
        for (name in manifest.golden.tolerance.keys) {
            val given = outputs[name]?.data ?: throw BundleError("the engine gives no '$name'")
            val must = golden.entry("tflite/$part$name", index, given.size)
            for (k in given.indices) {
                val off = abs(given[k].toDouble() - must[k])
                differences[name] = maxOf(differences[name] ?: 0.0, off)
            }
        }
    }

    private fun patchesOff(chain: Chain, day: Window): Double {
        val whole = chain.embed(day)
        val size = chain.cut.groups * chain.cut.width
        var off = 0.0
        for (patch in 0 until chain.cut.patches) {
            val own = chain.embed(day.part(patch * chain.cut.patch, chain.cut.patch))
            for (k in 0 until size) {
                off = maxOf(off, abs(own[k].toDouble() - whole[patch * size + k]))
            }
        }
        return off
    }
}
